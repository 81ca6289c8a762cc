package avro_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/avro"
)

// A union of null and one more is a serde.Opt.
func ExampleOf() {
	type User struct {
		Name string `avro:"name"`
		Mail serde.Opt[string]
	}
	users := avro.Of[User](`{"type":"record","name":"User","fields":[
		{"name":"name","type":"string"},
		{"name":"mail","type":["null","string"],"default":null}]}`)
	b, err := users.Append(nil, User{Name: "ada"})
	fmt.Printf("%x %v\n", b, err)
	u, err := users.Decode(b)
	fmt.Println(u.Name, u.Mail.Or("none"), err)
	// Output:
	// 0661646100 <nil>
	// ada none <nil>
}

// What version 1 wrote is read under the schema of version 2.
func ExampleCodec_Reader() {
	v1, _ := avro.Parse(`{"type":"record","name":"User","fields":[{"name":"name","type":"string"}]}`)
	v2, _ := avro.Parse(`{"type":"record","name":"User","fields":[{"name":"name","type":"string"},{"name":"age","type":"int","default":-1}]}`)
	now, _ := avro.New[struct {
		Name string
		Age  int
	}](v2)
	read, err := now.Reader(v1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read([]byte("\x06ada")))
	// Output: {ada -1} <nil>
}
