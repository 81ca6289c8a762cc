package engine

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// upsertion returns a valid one.
func upsertion(user string) kmsg.AlterUserSCRAMCredentialsRequestUpsertion {
	u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	u.Name, u.Mechanism, u.Iterations = user, 1, 4096
	u.Salt, u.SaltedPassword = bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 32)
	return u
}

// TestAlterUsersRefuses goes through what is wrong with a credential.
func TestAlterUsersRefuses(t *testing.T) {
	e := open(t, testConfig())
	type ups = kmsg.AlterUserSCRAMCredentialsRequestUpsertion
	for name, test := range map[string]struct {
		change func(*ups)
		want   code.Code
	}{
		"nothing wrong":        {func(*ups) {}, code.None},
		"no name":              {func(u *ups) { u.Name = "" }, code.UnacceptableCredential},
		"long name":            {func(u *ups) { u.Name = string(bytes.Repeat([]byte("n"), 256)) }, code.UnacceptableCredential},
		"zero byte":            {func(u *ups) { u.Name = "a\x00b" }, code.UnacceptableCredential},
		"unknown mechanism":    {func(u *ups) { u.Mechanism = 3 }, code.UnsupportedSASLMechanism},
		"few iterations":       {func(u *ups) { u.Iterations = 4095 }, code.UnacceptableCredential},
		"many iterations":      {func(u *ups) { u.Iterations = 16385 }, code.UnacceptableCredential},
		"short salt":           {func(u *ups) { u.Salt = u.Salt[:7] }, code.UnacceptableCredential},
		"long salt":            {func(u *ups) { u.Salt = make([]byte, 65) }, code.UnacceptableCredential},
		"salted password size": {func(u *ups) { u.Mechanism = 2 }, code.UnacceptableCredential},
	} {
		req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		u := upsertion("ann")
		test.change(&u)
		req.Upsertions = append(req.Upsertions, u)
		resp := rawRequest(t, e, req, 0).(*kmsg.AlterUserSCRAMCredentialsResponse)
		if len(resp.Results) != 1 || resp.Results[0].User != u.Name || code.Code(resp.Results[0].ErrorCode) != test.want {
			t.Errorf("%s: %+v, want %v", name, resp.Results, test.want)
		}
	}
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	req.Upsertions = append(req.Upsertions, upsertion("eve"), upsertion("eve"), upsertion("dan"))
	del := kmsg.NewAlterUserSCRAMCredentialsRequestDeletion()
	del.Name, del.Mechanism = "nobody", 1
	req.Deletions = append(req.Deletions, del)
	resp := rawRequest(t, e, req, 0).(*kmsg.AlterUserSCRAMCredentialsResponse)
	got := map[string]code.Code{}
	for _, r := range resp.Results {
		got[r.User] = code.Code(r.ErrorCode)
	}
	if len(got) != 3 || got["eve"] != code.DuplicateResource || got["dan"] != code.None || got["nobody"] != code.ResourceNotFound {
		t.Errorf("altering eve twice, dan, and deleting nobody: %v", got)
	}
}

// TestDescribeUsers checks what is told of users.
func TestDescribeUsers(t *testing.T) {
	e := open(t, testConfig())
	addUser(t, e, "bob", "1", kadm.ScramSha512)
	addUser(t, e, "ann", "1", kadm.ScramSha256)
	addUser(t, e, "bob", "1", kadm.ScramSha256)
	describe := func(names ...string) map[string]kmsg.DescribeUserSCRAMCredentialsResponseResult {
		req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
		for _, n := range names {
			req.Users = append(req.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: n})
		}
		all := map[string]kmsg.DescribeUserSCRAMCredentialsResponseResult{}
		for _, r := range rawRequest(t, e, req, 0).(*kmsg.DescribeUserSCRAMCredentialsResponse).Results {
			all[r.User] = r
		}
		return all
	}
	if all := describe(); len(all) != 2 || len(all["ann"].CredentialInfos) != 1 || len(all["bob"].CredentialInfos) != 2 || all["bob"].CredentialInfos[1].Iterations != 4096 {
		t.Errorf("all users: %+v", all)
	}
	some := describe("ann", "eve", "bob", "bob")
	if got := some["ann"].ErrorCode; got != 0 {
		t.Errorf("ann: %v", code.Code(got))
	}
	if got := code.Code(some["eve"].ErrorCode); got != code.ResourceNotFound {
		t.Errorf("eve: %v", got)
	}
	if got := code.Code(some["bob"].ErrorCode); got != code.DuplicateResource {
		t.Errorf("bob twice: %v", got)
	}
}

// TestDeletedUserIsOut deletes a user who is logged in: the connection ends, and there is no other.
func TestDeletedUserIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, testConfig())
		addUser(t, e, "ann", "secret", kadm.ScramSha256)
		addUser(t, e, "ann", "secret", kadm.ScramSha512)
		dial := serveInMemory(t, e)
		c := dialRaw(t, dial)
		if resp := authenticate(c, "PLAIN", "\x00ann\x00secret"); resp.ErrorCode != 0 {
			t.Fatal(*resp.ErrorMessage)
		}
		adm := kadm.NewClient(client(t, e, kgo.Dialer(dial), kgo.SASL(plain.Auth{User: "ann", Pass: "secret"}.AsMechanism())))
		for _, m := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
			c.request(kmsg.NewPtrMetadataRequest(), 1, 3)
			c.response(&kmsg.MetadataRequest{Version: 1}) // as long as there is a credential
			as, err := adm.AlterUserSCRAMs(testContext(t), []kadm.DeleteSCRAM{{User: "ann", Mechanism: m}}, nil)
			if err != nil || as.Error() != nil {
				t.Fatal(err, as.Error())
			}
		}
		began := time.Now()
		c.closes("a user who is deleted")
		if d := time.Since(began); d != 0 {
			t.Errorf("a user who is deleted was cut off after %v", d)
		}
		if resp := authenticate(dialRaw(t, dial), "PLAIN", "\x00ann\x00secret"); code.Code(resp.ErrorCode) != code.SASLAuthenticationFailed {
			t.Errorf("a deleted user logs in: %v", code.Code(resp.ErrorCode))
		}
	})
}

// TestDeletedWhileLoggingIn deletes a user between the two messages of a login, whose proof is right.
func TestDeletedWhileLoggingIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, testConfig())
		addUser(t, e, "ann", "secret", kadm.ScramSha256)
		c := dialRaw(t, serveInMemory(t, e))
		exchange, first, err := scram.Auth{User: "ann", Pass: "secret"}.AsSha256Mechanism().Authenticate(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		_, final, err := exchange.Challenge(authenticate(c, "SCRAM-SHA-256", string(first)).SASLAuthBytes)
		if err != nil {
			t.Fatal(err)
		}
		as, err := kadm.NewClient(client(t, e)).AlterUserSCRAMs(testContext(t), []kadm.DeleteSCRAM{{User: "ann", Mechanism: kadm.ScramSha256}}, nil)
		if err != nil || as.Error() != nil {
			t.Fatal(err, as.Error())
		}
		next(c, string(final))
		began := time.Now()
		c.closes("a user who was deleted meanwhile")
		if d := time.Since(began); d != 0 {
			t.Errorf("a user who was deleted meanwhile was cut off after %v", d)
		}
	})
}
