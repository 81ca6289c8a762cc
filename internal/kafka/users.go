package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// UserInfo describes a user who logs in by SCRAM.
type UserInfo struct {
	Name        string           `json:"name"`
	Credentials []CredentialInfo `json:"credentials"`
}

// CredentialInfo describes one of a user's credentials.
type CredentialInfo struct {
	Mechanism  string `json:"mechanism"`
	Iterations int32  `json:"iterations"`
}

// ListUsers returns all users by name.
func (c *Client) ListUsers(ctx context.Context) ([]UserInfo, error) {
	us, err := c.admin.DescribeUserSCRAMs(ctx)
	if err == nil {
		err = us.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: list users: %w", err)
	}
	list := []UserInfo{}
	for _, u := range us.Sorted() {
		info := UserInfo{Name: u.User}
		for _, ci := range u.CredInfos {
			info.Credentials = append(info.Credentials, CredentialInfo{Mechanism: ci.Mechanism.String(), Iterations: ci.Iterations})
		}
		list = append(list, info)
	}
	return list, nil
}

// SetPassword lets a user log in with a password by both mechanisms of SCRAM. It is salted here; the brokers never see it.
func (c *Client) SetPassword(ctx context.Context, user, password string, iterations int32) error {
	var ups []kadm.UpsertSCRAM
	for _, m := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		ups = append(ups, kadm.UpsertSCRAM{User: user, Mechanism: m, Iterations: iterations, Password: password})
	}
	return c.alterUser(ctx, user, nil, ups)
}

// DeleteUser takes all credentials of a user away. One who does not exist is ErrNoUser.
func (c *Client) DeleteUser(ctx context.Context, user string) error {
	all, err := c.admin.DescribeUserSCRAMs(ctx)
	if err != nil {
		return fmt.Errorf("kafka: user %q: %w", user, err)
	}
	var del []kadm.DeleteSCRAM
	for _, ci := range all[user].CredInfos {
		del = append(del, kadm.DeleteSCRAM{User: user, Mechanism: ci.Mechanism})
	}
	if len(del) == 0 {
		return fmt.Errorf("kafka: user %q: %w", user, ErrNoUser)
	}
	return c.alterUser(ctx, user, del, nil)
}

func (c *Client) alterUser(ctx context.Context, user string, del []kadm.DeleteSCRAM, ups []kadm.UpsertSCRAM) error {
	as, err := c.admin.AlterUserSCRAMs(ctx, del, ups)
	if err != nil {
		return fmt.Errorf("kafka: user %q: %w", user, err)
	}
	if a := as[user]; a.Err != nil {
		return fmt.Errorf("kafka: user %q: %w: %s", user, a.Err, a.ErrMessage)
	}
	return nil
}

// ErrNoUser is of a user who does not exist.
var ErrNoUser = errors.New("there is no such user")
