package meta

import (
	"slices"
	"strings"
	"testing"
)

func TestConfigsAreInOrderAndTheirDefaultsAreValid(t *testing.T) {
	if !slices.IsSortedFunc(TopicConfigs, func(a, b Config) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not in the order of names")
	}
	for i := range TopicConfigs {
		c := &TopicConfigs[i]
		if err := c.Check(c.Default); err != nil {
			t.Error(err)
		}
		if c.Broker == "" || c.Doc == "" {
			t.Errorf("%s has no broker setting or no text", c.Name)
		}
	}
}

// TestSettingsSayWhatTheConfigsSay checks the values for which a log's zero means something else than Kafka's.
func TestSettingsSayWhatTheConfigsSay(t *testing.T) {
	for _, test := range []struct {
		name, value string
		ok          func(topic *Topic) bool
	}{
		{"cleanup.policy", "", func(t *Topic) bool { s := t.settings(); return s.RetentionMs == -1 && s.RetentionBytes == -1 }},
		{"cleanup.policy", "compact", func(t *Topic) bool { s := t.settings(); return s.Compact && !s.Delete }},
		{"cleanup.policy", "compact,delete", func(t *Topic) bool { s := t.settings(); return s.Compact && s.Delete }},
		{"retention.ms", "0", func(t *Topic) bool { return t.settings().RetentionMs == 1 }},
		{"retention.bytes", "0", func(t *Topic) bool { return t.settings().RetentionBytes == 1 }},
		{"delete.retention.ms", "0", func(t *Topic) bool { return t.settings().DeleteRetentionMs == -1 }},
		{"file.delete.delay.ms", "0", func(t *Topic) bool { return t.settings().FileDeleteDelay < 0 }},
		{"message.timestamp.type", "LogAppendTime", func(t *Topic) bool { return t.settings().LogAppendTime && t.Rules().LogAppendTime }},
		{"compression.type", "zstd", func(t *Topic) bool { r := t.Rules(); return r.Recompress(0) && !r.Recompress(4) }},
		{"message.timestamp.before.max.ms", "1000", func(t *Topic) bool { r := t.Rules(); return r.Opened(0) }},
	} {
		topic := &Topic{Name: "t", Configs: map[string]string{test.name: test.value}}
		if err := CheckConfigs(topic.Configs); err != nil {
			t.Error(err)
		} else if !test.ok(topic) {
			t.Errorf("%s=%q: %+v, %+v", test.name, test.value, topic.settings(), topic.Rules())
		}
	}
}

func TestUnknownAndInvalidConfigsAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"no.such": "1", "retention.ms": "-2", "segment.bytes": "9999999999", "min.cleanable.dirty.ratio": "NaN",
		"cleanup.policy": "delete,", "message.timestamp.type": "Whenever", "preallocate": "yes",
	} {
		if err := CheckConfigs(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: %v", name, value, err)
		}
	}
}
