// Package rest is the vocabulary of the Confluent Schema Registry's HTTP interface, shared by the client and the server:
// what goes over it, and the codes of its errors.
package rest

import "fmt"

// ContentType is of every request and answer.
const ContentType = "application/vnd.schemaregistry.v1+json"

// The types of schemas. An absent one is Avro.
const (
	Avro     = "AVRO"
	Protobuf = "PROTOBUF"
	JSON     = "JSON"
)

// Latest is the version that stands for the newest.
const Latest = "latest"

// Reference is a schema that another one uses, under the name it uses.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Schema is a schema, as it is registered and as it is answered: what is not known of it is left out.
type Schema struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         int         `json:"id,omitempty"`
	Type       string      `json:"schemaType,omitempty"`
	References []Reference `json:"references,omitempty"`
	Text       string      `json:"schema"`
}

// Kind is the type of s, which may be left out.
func (s *Schema) Kind() string {
	if s.Type == "" {
		return Avro
	}
	return s.Type
}

// SubjectVersion is one of the places where a schema stands.
type SubjectVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Compatibility is the answer to a test.
type Compatibility struct {
	Compatible bool     `json:"is_compatible"`
	Messages   []string `json:"messages,omitempty"`
}

// Config is a level of compatibility: a change of it has the one member, an answer the other.
type Config struct {
	Level  string `json:"compatibilityLevel,omitempty"`
	Change string `json:"compatibility,omitempty"`
}

// Mode is whether a subject takes schemas.
type Mode struct {
	Mode string `json:"mode"`
}

// Codes of errors, by the status they come with.
const (
	CodeNotFound         = 404
	CodeSubjectNotFound  = 40401
	CodeVersionNotFound  = 40402
	CodeSchemaNotFound   = 40403
	CodeSubjectDeleted   = 40404
	CodeSubjectKept      = 40405
	CodeVersionDeleted   = 40406
	CodeVersionKept      = 40407
	CodeConfigNotFound   = 40408
	CodeModeNotFound     = 40409
	CodeIncompatible     = 409
	CodeInvalidSchema    = 42201
	CodeInvalidVersion   = 42202
	CodeInvalidLevel     = 42203
	CodeInvalidMode      = 42204
	CodeNotPermitted     = 42205
	CodeReferenceExists  = 42206
	CodeInvalidSubject   = 42208
	CodeStore            = 50001
	CodeNoLeader         = 50003
	StatusTooLarge       = 413
	CodeRequestMalformed = 400
)

// Error is what went wrong. Its status is the first three digits of its code.
type Error struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (error %d)", e.Message, e.Code) }

// Status is the HTTP status that goes with the code.
func (e *Error) Status() int {
	if e.Code >= 10000 {
		return e.Code / 100
	}
	return e.Code
}
