package main

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// configFile is a flag that names a TOML file with values for the other flags of its command. What the command line says
// goes before the file.
type configFile string

// BeforeResolve reads the file: kong calls it before flags that were not given get their values.
func (configFile) BeforeResolve(c *kong.Context, trace *kong.Path) error {
	path := string(c.FlagValue(trace.Flag).(configFile))
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	values, err := parseConfig(path, text, settings(c.Selected()))
	if err != nil {
		return err
	}
	c.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
		if v, ok := values[f.Name]; ok {
			return v, nil
		}
		return nil, nil
	}))
	return nil
}

// settings returns the flags of a command that may stand in its file.
func settings(n *kong.Node) (out []*kong.Flag) {
	for _, f := range n.Flags {
		if f.Name != "config" && f.Name != "print-config" && f.Name != "help" {
			out = append(out, f)
		}
	}
	return out
}

// parseConfig returns the values of a file by the names of flags, as they would be written on the command line.
func parseConfig(path string, text []byte, flags []*kong.Flag) (map[string]any, error) {
	// Times and sizes are integers that decode from text, too: decoded at once, numbers without a unit would be taken.
	if _, err := decodeConfig(path, text, flags, written); err != nil {
		return nil, err
	}
	file, err := decodeConfig(path, text, flags, func(f *kong.Flag) reflect.Type { return f.Target.Type() })
	if err != nil {
		return nil, err
	}
	values := make(map[string]any)
	for i, f := range flags {
		v := file.Field(i)
		if v.IsNil() {
			continue
		}
		values[f.Name] = onCommandLine(v.Elem())
		if err := inRange(f, v.Elem().Interface()); err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", path, keyLines(text)[f.Name], f.Name, err)
		}
	}
	return values, nil
}

// inRange checks what decoding has not.
func inRange(f *kong.Flag, value any) error {
	if n, ok := value.(count); ok {
		return n.Validate()
	}
	if f.Enum != "" && !f.EnumMap()[fmt.Sprint(value)] {
		return fmt.Errorf("%v: want one of %s", value, strings.Join(f.EnumSlice(), ", "))
	}
	return nil
}

// keyLines returns the lines of a file's keys.
func keyLines(text []byte) map[string]int {
	lines := make(map[string]int)
	var p unstable.Parser
	for p.Reset(text); p.NextExpression(); {
		if e := p.Expression(); e.Kind == unstable.KeyValue {
			if key := e.Key(); key.Next() {
				lines[string(key.Node().Data)] = p.Shape(key.Node().Raw).Start.Line
			}
		}
	}
	return lines
}

// places returns where settings of the engine are said, each named as its field is: in the file, or by a flag.
func (c configFile) places(line *kong.Context, fields []string) (places []string) {
	text, err := os.ReadFile(string(c))
	if err != nil {
		text = nil // without a file all are said by flags, or not at all
	}
	lines := keyLines(text)
	for _, f := range settings(line.Selected()) {
		field := strings.ReplaceAll(f.Name, "-", "")
		if !slices.ContainsFunc(fields, func(name string) bool { return strings.EqualFold(name, field) }) {
			continue
		}
		said := slices.ContainsFunc(line.Path, func(p *kong.Path) bool { return p.Flag == f && !p.Resolved })
		if n := lines[f.Name]; n > 0 && !said {
			places = append(places, fmt.Sprintf("%s:%d: %s", string(c), n, f.Name))
		} else {
			places = append(places, "-"+f.Name)
		}
	}
	return places
}

// decodeConfig returns a struct with a pointer for each flag, nil where the file says nothing.
func decodeConfig(path string, text []byte, flags []*kong.Flag, as func(*kong.Flag) reflect.Type) (file reflect.Value, err error) {
	fields := make([]reflect.StructField, len(flags))
	for i, f := range flags {
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.PointerTo(as(f)), Tag: reflect.StructTag(fmt.Sprintf("toml:%q", f.Name))}
	}
	into := reflect.New(reflect.StructOf(fields))
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(into.Interface())
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		first := &unknown.Errors[0]
		line, _ := first.Position()
		key := strings.Join(first.Key(), ".")
		return file, fmt.Errorf("%s:%d: no setting is called %s: is %s meant?", path, line, key, nearest(key, flags))
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		return file, fmt.Errorf("%s:%d: %s", path, line, mistake(wrong, flags))
	case err != nil:
		return file, fmt.Errorf("%s: %w", path, err)
	}
	return into.Elem(), nil
}

// written returns the type by which a setting is written in TOML: times and sizes are strings.
func written(f *kong.Flag) reflect.Type {
	switch f.Target.Interface().(type) {
	case span, delay, size, frame:
		return reflect.TypeFor[string]()
	}
	return f.Target.Type()
}

// mistake says what is wrong with a value, without the name of the type it was to have, which is generated.
func mistake(wrong *toml.DecodeError, flags []*kong.Flag) string {
	key := strings.Join(wrong.Key(), ".")
	why, _, generated := strings.Cut(wrong.Error(), " into struct field ")
	i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == key })
	switch {
	case key == "":
		return why
	case !generated || i < 0:
		return key + ": " + why
	}
	want := "a string"
	switch f := flags[i].Target; f.Interface().(type) {
	case span, delay:
		want = "a string with a unit, like '45s'"
	case size, frame:
		want = "a string with a unit, like '64MiB'"
	case []string:
		want = "a list of strings"
	case bool:
		want = "true or false"
	case int, count:
		want = "a whole number"
	}
	return fmt.Sprintf("%s: %s: want %s", key, why, want)
}

// onCommandLine returns a value as a flag takes it.
func onCommandLine(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return kong.JoinEscaped(list, ',')
	}
	return fmt.Sprint(v.Interface())
}

// nearest returns the name of a setting that takes the fewest edits to reach from key.
func nearest(key string, flags []*kong.Flag) string {
	return slices.MinFunc(flags, func(a, b *kong.Flag) int { return edits(key, a.Name) - edits(key, b.Name) }).Name
}

// edits returns the Levenshtein distance of two names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// printConfig writes a file that says what the command line and the file it names say.
func printConfig(w io.Writer, flags []*kong.Flag) error {
	var b strings.Builder
	b.WriteString("# Settings of thalweg serve -config FILE. Flags go before them. Times are like 1h30m or 500ms, sizes like 64MiB;\n# files and folders are relative to where the server is started.\n")
	for _, f := range flags {
		fmt.Fprintf(&b, "\n# %s\n", f.Help)
		if f.HasDefault {
			fmt.Fprintf(&b, "# Default: %s\n", f.Default)
		}
		value, err := toml.Marshal(map[string]any{f.Name: f.Target.Interface()})
		if err != nil {
			return fmt.Errorf("-print-config: %s: %w", f.Name, err)
		}
		b.Write(value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// count is a number above 0.
type count int32

// Validate refuses others, when the command line is read.
func (c count) Validate() error {
	if c < 1 {
		return fmt.Errorf("%d: it has to be above 0", c)
	}
	return nil
}

// delay is a time that is not negative, written as Go's durations are.
type delay time.Duration

var _ encoding.TextUnmarshaler = (*delay)(nil)

func (s *delay) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no time: want a number with a unit, like 500ms, 45s or 24h", text)
	}
	*s = delay(d)
	return nil
}

func (s delay) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s delay) String() string { return time.Duration(s).String() }

// span is a time above 0.
type span time.Duration

var _ encoding.TextUnmarshaler = (*span)(nil)

func (s *span) UnmarshalText(text []byte) error {
	var d delay
	if err := d.UnmarshalText(text); err != nil {
		return err
	}
	if d == 0 {
		return fmt.Errorf("%s: it has to be above 0", text)
	}
	*s = span(d)
	return nil
}

func (s span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s span) String() string { return time.Duration(s).String() }

// size is a number of bytes above 0, written with a unit.
type size int64

var _ encoding.TextUnmarshaler = (*size)(nil)

// units are those of sizes, the largest first.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (s *size) UnmarshalText(text []byte) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > 0 && n <= math.MaxInt64/u.bytes {
			*s = size(n * u.bytes)
			return nil
		}
		break
	}
	return fmt.Errorf("%q is no size: want a number above 0 with a unit B, KiB, MiB or GiB, like 64MiB", text)
}

// frame is a size below 2 GiB.
type frame int32

var _ encoding.TextUnmarshaler = (*frame)(nil)

func (f *frame) UnmarshalText(text []byte) error {
	var s size
	if err := s.UnmarshalText(text); err != nil {
		return err
	}
	if s > math.MaxInt32 {
		return fmt.Errorf("%s: it has to be below 2GiB", s)
	}
	*f = frame(s)
	return nil
}

func (f frame) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

func (f frame) String() string { return size(f).String() }

func (s size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s size) String() string {
	for _, u := range units {
		if int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
