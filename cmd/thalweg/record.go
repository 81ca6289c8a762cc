package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/kafka"
)

// printed is a record as JSON. Numbers are numbers, text that is no UTF-8 is base64 and says so.
type printed struct {
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
	Time      string          `json:"time"`
	Key       any             `json:"key"`
	KeyIs     string          `json:"key_is,omitempty"` // "base64" where it was to be text and is none
	Value     any             `json:"value"`
	ValueIs   string          `json:"value_is,omitempty"`
	Headers   []printedHeader `json:"headers,omitempty"`
}

// printedHeader is one header as JSON.
type printedHeader struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
	Is    string `json:"is,omitempty"`
}

// record prints one record.
func (r *reading) record(p kafka.Place, rec *batch.Record) error {
	key, err := shown(rec.Key, r.Keys)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	value, err := shown(rec.Value, r.Values)
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	at := time.UnixMilli(rec.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z")
	if !r.JSON {
		_, err = strings.NewReplacer(
			`\t`, "\t", `\n`, "\n", "{key}", plain(key), "{value}", plain(value), "{topic}", p.Topic,
			"{partition}", strconv.Itoa(int(p.Partition)), "{offset}", strconv.FormatInt(rec.Offset, 10), "{time}", at,
		).WriteString(r.out, r.Format+"\n")
		return err
	}
	out := printed{Topic: p.Topic, Partition: p.Partition, Offset: rec.Offset, Time: at}
	out.Key, out.KeyIs = inJSON(key)
	out.Value, out.ValueIs = inJSON(value)
	hs, err := batch.Headers(rec.Headers)
	if err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	for _, h := range hs {
		v, err := shown(h.Value, "text")
		if err != nil {
			return fmt.Errorf("header %q: %w", h.Key, err)
		}
		out.Headers = append(out.Headers, printedHeader{Key: h.Key})
		last := &out.Headers[len(out.Headers)-1]
		last.Value, last.Is = inJSON(v)
	}
	return printJSON(r.out, out)
}

// plain is a shown key or value in a line of text.
func plain(v any) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(v)
}

// inJSON is a shown key or value in JSON. is says what it is shown as if not as what was asked for.
func inJSON(v any) (out any, is string) {
	if s, ok := v.(string); ok && !utf8.ValidString(s) {
		return base64.StdEncoding.EncodeToString([]byte(s)), "base64"
	}
	return v, ""
}

// shown makes bytes presentable: text or a number, nil for null.
func shown(b []byte, as string) (any, error) {
	if b == nil {
		return nil, nil
	}
	switch as {
	case "hex":
		return hex.EncodeToString(b), nil
	case "base64":
		return base64.StdEncoding.EncodeToString(b), nil
	case "int32":
		if len(b) != 4 {
			return nil, fmt.Errorf("%d bytes are no int32: see them with hex", len(b))
		}
		return int32(binary.BigEndian.Uint32(b)), nil
	case "int64":
		if len(b) != 8 {
			return nil, fmt.Errorf("%d bytes are no int64: see them with hex", len(b))
		}
		return int64(binary.BigEndian.Uint64(b)), nil
	}
	return string(b), nil
}
