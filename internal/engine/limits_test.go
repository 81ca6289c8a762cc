package engine

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestConnectionsAreLimited opens one more than there may be, and again when there is room.
func TestConnectionsAreLimited(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections = 1
	e := open(t, cfg)
	versions := &kmsg.ApiVersionsRequest{Version: 2}
	first := rawDial(t, e)
	first.request(versions, 2, 1)
	first.response(versions)
	second := rawDial(t, e)
	second.closes("a connection beyond the limit")
	if refused := e.Metrics().Server.Refused; refused != 1 {
		t.Errorf("%d connections were refused", refused)
	}
	first.Close()
	for deadline := time.Now().Add(20 * time.Second); e.Stats().Connections > 0; {
		if time.Now().After(deadline) {
			t.Fatal("a connection that was closed is open still")
		}
	}
	third := rawDial(t, e)
	third.request(versions, 2, 1)
	third.response(versions)
}

// TestConfigIsChecked names the fields that are wrong.
func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		fields []string
	}{
		{func(c *Config) { c.MaxConnections = -1 }, []string{"MaxConnections"}},
		{func(c *Config) { c.MaxInFlight = -1 }, []string{"MaxInFlight"}},
		{func(c *Config) { c.MaxPipelined = 5000 }, []string{"MaxPipelined"}},
		{func(c *Config) { c.DefaultPartitions = -1 }, []string{"DefaultPartitions"}},
		{func(c *Config) { c.ConsumerSession = time.Second }, []string{"ConsumerSession", "ConsumerHeartbeat"}},
	} {
		cfg := testConfig()
		c.change(&cfg)
		var wrong *ConfigError
		if err := cfg.Check(); !errors.As(err, &wrong) || !slices.Equal(wrong.Fields, c.fields) {
			t.Errorf("%v: %v", c.fields, err)
		}
	}
	if err := testConfig().Check(); err != nil {
		t.Error(err)
	}
}
