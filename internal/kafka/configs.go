package kafka

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

// ConfigInfo describes a setting of a topic or a broker.
type ConfigInfo struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Source    string `json:"source"` // as topic, static-broker, default
	Sensitive bool   `json:"sensitive,omitempty"`
}

// TopicConfigs returns the settings of a topic.
func (c *Client) TopicConfigs(ctx context.Context, topic string) ([]ConfigInfo, error) {
	rs, err := c.admin.DescribeTopicConfigs(ctx, topic)
	return configsOf(rs, err, "topic", topic)
}

// BrokerConfigs returns the settings of a broker.
func (c *Client) BrokerConfigs(ctx context.Context, broker int32) ([]ConfigInfo, error) {
	rs, err := c.admin.DescribeBrokerConfigs(ctx, broker)
	return configsOf(rs, err, "broker", fmt.Sprint(broker))
}

// refusal is why something about the settings of a topic or a broker failed, nil if nothing did.
func refusal(kind, name string, err error, message string) error {
	if err == nil {
		return nil
	}
	if message != "" {
		err = fmt.Errorf("%w: %s", err, message)
	}
	return fmt.Errorf("kafka: settings of %s %q: %w", kind, name, err)
}

func configsOf(rs kadm.ResourceConfigs, err error, kind, name string) ([]ConfigInfo, error) {
	if err != nil || len(rs) != 1 {
		return nil, refusal(kind, name, err, "")
	}
	if err := refusal(kind, name, rs[0].Err, rs[0].ErrMessage); err != nil {
		return nil, err
	}
	sources := strings.NewReplacer("_", "-", "-config", "", "dynamic-topic", "topic")
	list := []ConfigInfo{}
	for _, x := range rs[0].Configs {
		list = append(list, ConfigInfo{
			Name: x.Key, Value: x.MaybeValue(), Sensitive: x.Sensitive,
			Source: sources.Replace(strings.ReplaceAll(strings.ToLower(x.Source.String()), "_", "-")),
		})
	}
	return list, nil
}

// ConfigChange sets a setting, or, without a value, lets it go back to its default.
type ConfigChange struct {
	Name  string
	Value *string
}

func alterations(changes []ConfigChange) (all []kadm.AlterConfig) {
	for _, x := range changes {
		op := kadm.SetConfig
		if x.Value == nil {
			op = kadm.DeleteConfig
		}
		all = append(all, kadm.AlterConfig{Op: op, Name: x.Name, Value: x.Value})
	}
	return all
}

// AlterTopicConfigs changes settings of a topic, all or none.
func (c *Client) AlterTopicConfigs(ctx context.Context, topic string, changes []ConfigChange) error {
	rs, err := c.admin.AlterTopicConfigs(ctx, alterations(changes), topic)
	return altered(rs, err, "topic", topic)
}

// AlterBrokerConfigs changes settings of a broker, all or none.
func (c *Client) AlterBrokerConfigs(ctx context.Context, broker int32, changes []ConfigChange) error {
	rs, err := c.admin.AlterBrokerConfigs(ctx, alterations(changes), broker)
	return altered(rs, err, "broker", fmt.Sprint(broker))
}

func altered(rs kadm.AlterConfigsResponses, err error, kind, name string) error {
	if err != nil || len(rs) != 1 {
		return refusal(kind, name, err, "")
	}
	return refusal(kind, name, rs[0].Err, rs[0].ErrMessage)
}
