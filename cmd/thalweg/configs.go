package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/internal/kafka"
)

// configs are the commands about settings.
type configs struct {
	Describe configsDescribe `cmd:"" help:"Show the settings of topics or of a broker, and where they come from."`
	Set      configsSet      `cmd:"" help:"Set settings."`
	Unset    configsUnset    `cmd:"" help:"Let settings go back to their defaults."`
}

// configured is whose settings a command is about.
type configured struct {
	cluster `embed:""`
	Topic   []string `help:"Topics." placeholder:"NAME,..."`
	Broker  *int32   `help:"A broker, by its id; that of the bundled engine is 1." placeholder:"ID"`
	JSON    bool     `help:"Print JSON." name:"json"`
}

// check returns the mistake in the flags, if there is one.
func (c *configured) check() error {
	if len(c.Topic) == 0 == (c.Broker == nil) {
		return errors.New("configs: say -topic or -broker, one of them")
	}
	return nil
}

// names are what the settings belong to, as it is shown.
func (c *configured) names() []string {
	if c.Broker != nil {
		return []string{fmt.Sprint(*c.Broker)}
	}
	return c.Topic
}

type configsDescribe struct {
	configured `embed:""`
	All        bool `help:"Settings that have their defaults, too."`
}

// Run carries the command out.
func (c *configsDescribe) Run(s session) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.with(s, false, func(client *kafka.Client) error {
		shown := map[string][]kafka.ConfigInfo{}
		var rows [][]any
		for _, name := range c.names() {
			var list []kafka.ConfigInfo
			var err error
			if c.Broker != nil {
				list, err = client.BrokerConfigs(s.ctx, *c.Broker)
			} else {
				list, err = client.TopicConfigs(s.ctx, name)
			}
			if err != nil {
				return err
			}
			shown[name] = []kafka.ConfigInfo{}
			for _, x := range list {
				if !c.All && x.Source == "default" {
					continue
				}
				shown[name] = append(shown[name], x)
				value := x.Value
				if x.Sensitive {
					value = "(hidden)"
				}
				rows = append(rows, []any{name, x.Name, value, x.Source})
			}
		}
		if c.JSON {
			return printJSON(s.out, shown)
		}
		kind := "TOPIC"
		if c.Broker != nil {
			kind = "BROKER"
		}
		return printTable(s.out, kind+" SETTING VALUE SOURCE", rows)
	})
}

// change carries changes out for each topic, or the broker.
func (c *configured) change(s session, verb string, changes []kafka.ConfigChange) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.with(s, false, func(client *kafka.Client) error {
		var names []string
		for _, x := range changes {
			names = append(names, x.Name)
		}
		if c.Broker != nil {
			if err := client.AlterBrokerConfigs(s.ctx, *c.Broker, changes); err != nil {
				return err
			}
			return done(s, c.JSON, verb, names)
		}
		for _, topic := range c.Topic {
			if err := client.AlterTopicConfigs(s.ctx, topic, changes); err != nil {
				return err
			}
		}
		return done(s, c.JSON, verb, names)
	})
}

type configsSet struct {
	configured `embed:""`
	Settings   []string `arg:"" name:"setting" help:"Settings as NAME=VALUE, as cleanup.policy=compact." sep:"none"`
}

// Run carries the command out.
func (c *configsSet) Run(s session) error {
	var changes []kafka.ConfigChange
	for _, x := range c.Settings {
		name, value, ok := strings.Cut(x, "=")
		if !ok || name == "" {
			return fmt.Errorf("configs: %q is not NAME=VALUE", x)
		}
		changes = append(changes, kafka.ConfigChange{Name: name, Value: &value})
	}
	return c.configured.change(s, "set", changes)
}

type configsUnset struct {
	configured `embed:""`
	Settings   []string `arg:"" name:"setting" help:"Names of settings."`
}

// Run carries the command out.
func (c *configsUnset) Run(s session) error {
	var changes []kafka.ConfigChange
	for _, name := range c.Settings {
		changes = append(changes, kafka.ConfigChange{Name: name})
	}
	return c.configured.change(s, "unset", changes)
}
