package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/thalweg/thalweg/internal/protofile"
	"github.com/thalweg/thalweg/internal/registry/rest"
)

// bodyMost is the most bytes of a request: a schema as a JSON string, in which every byte may be escaped.
const bodyMost = 4 << 20

// Handler returns the HTTP interface of a registry.
func Handler(r *Registry, logger *slog.Logger) http.Handler {
	h := &handler{r, logger}
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(*http.Request) (any, error){
		"GET /{$}":           func(*http.Request) (any, error) { return struct{}{}, nil },
		"GET /schemas/types": func(*http.Request) (any, error) { return []string{rest.JSON, rest.Protobuf, rest.Avro}, nil },
		"GET /contexts":      func(*http.Request) (any, error) { return []string{"."}, nil },
		"GET /v1/metadata/id": func(*http.Request) (any, error) {
			return map[string]any{"scope": map[string]any{"path": []string{}, "clusters": map[string]string{}}}, nil
		},
		"GET /schemas/ids/{id}":                                     h.byID,
		"GET /schemas/ids/{id}/schema":                              h.textByID,
		"GET /schemas/ids/{id}/subjects":                            h.subjectsByID,
		"GET /schemas/ids/{id}/versions":                            h.versionsByID,
		"GET /subjects":                                             h.subjects,
		"POST /subjects/{subject}":                                  h.lookUp,
		"DELETE /subjects/{subject}":                                h.deleteSubject,
		"GET /subjects/{subject}/versions":                          h.versions,
		"POST /subjects/{subject}/versions":                         h.register,
		"GET /subjects/{subject}/versions/{version}":                h.version,
		"GET /subjects/{subject}/versions/{version}/schema":         h.versionText,
		"GET /subjects/{subject}/versions/{version}/referencedby":   h.referencedBy,
		"DELETE /subjects/{subject}/versions/{version}":             h.deleteVersion,
		"POST /compatibility/subjects/{subject}/versions":           h.test,
		"POST /compatibility/subjects/{subject}/versions/{version}": h.test,
		"GET /config":              h.config,
		"PUT /config":              h.setConfig,
		"DELETE /config":           h.deleteConfig,
		"GET /config/{subject}":    h.config,
		"PUT /config/{subject}":    h.setConfig,
		"DELETE /config/{subject}": h.deleteConfig,
		"GET /mode":                h.mode,
		"PUT /mode":                h.setMode,
		"DELETE /mode":             h.deleteMode,
		"GET /mode/{subject}":      h.mode,
		"PUT /mode/{subject}":      h.setMode,
		"DELETE /mode/{subject}":   h.deleteMode,
		"/":                        func(*http.Request) (any, error) { return nil, refuse(rest.CodeNotFound, "HTTP 404 Not Found") },
	} {
		mux.HandleFunc(pattern, h.serve(f))
	}
	return mux
}

type handler struct {
	r   *Registry
	log *slog.Logger
}

// serve answers with what f returns, or its error.
func (h *handler) serve(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, bodyMost)
		out, err := f(req)
		status := http.StatusOK
		if err != nil {
			e := &rest.Error{}
			if !errors.As(err, &e) {
				e = &rest.Error{Code: http.StatusInternalServerError, Message: err.Error()}
			}
			status, out = e.Status(), e
			level := slog.LevelDebug
			if status >= http.StatusInternalServerError {
				level = slog.LevelError
			}
			h.log.Log(req.Context(), level, "refused", "method", req.Method, "path", req.URL.Path, "code", e.Code, "why", e.Message)
		}
		w.Header().Set("Content-Type", rest.ContentType)
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(out); err != nil {
			h.log.Debug("answer", "err", err)
		}
	}
}

// body reads a request.
func body[T any](req *http.Request) (x T, err error) {
	err = json.NewDecoder(req.Body).Decode(&x)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = refuse(rest.StatusTooLarge, "A request of more than %d bytes.", large.Limit)
	case err != nil:
		err = refuse(rest.CodeRequestMalformed, "The request cannot be read: %v", err)
	}
	return x, err
}

func flag(req *http.Request, name string) bool { return req.URL.Query().Get(name) == "true" }

// page cuts a list by the request's offset and limit.
func page[T any](req *http.Request, list []T) []T {
	q := req.URL.Query()
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		list = list[min(n, len(list)):]
	}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n >= 0 {
		list = list[:min(n, len(list))]
	}
	return list
}

// number reads the version of a path: a number, or the latest.
func number(req *http.Request) (n int, latest bool, err error) {
	text := req.PathValue("version")
	if text == rest.Latest || text == "-1" {
		return 0, true, nil
	}
	n, err = strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, false, refuse(rest.CodeInvalidVersion,
			"The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", text)
	}
	return n, false, nil
}

// formatted is a schema in the format that the request asks for.
func (h *handler) formatted(req *http.Request, s rest.Schema) (rest.Schema, error) {
	if s.Kind() != rest.Protobuf || req.URL.Query().Get("format") != "serialized" {
		return s, nil
	}
	var err error
	s.Text, err = h.r.serialized(s)
	return s, err
}

// stored returns the schema whose id is in the path.
func (h *handler) stored(req *http.Request) (*stored, int, error) {
	id, err := strconv.Atoi(req.PathValue("id"))
	n := h.r.byID[id]
	if err != nil || n == nil {
		return nil, 0, refuse(rest.CodeSchemaNotFound, "Schema %s not found", req.PathValue("id"))
	}
	return n, id, nil
}

func (h *handler) byID(req *http.Request) (any, error) {
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	n, _, err := h.stored(req)
	if err != nil {
		return nil, err
	}
	return h.formatted(req, n.Schema)
}

func (h *handler) textByID(req *http.Request) (any, error) {
	s, err := h.byID(req)
	if err != nil {
		return nil, err
	}
	return raw(s.(rest.Schema)), nil
}

// raw is the schema alone: JSON as it is, anything else as a string.
func raw(s rest.Schema) any {
	if s.Kind() != rest.Protobuf && json.Valid([]byte(s.Text)) {
		return json.RawMessage(s.Text)
	}
	return s.Text
}

// places returns where a schema stands.
func (h *handler) places(req *http.Request) ([]rest.SubjectVersion, error) {
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	_, id, err := h.stored(req)
	if err != nil {
		return nil, err
	}
	list := []rest.SubjectVersion{}
	for _, name := range slices.Sorted(maps.Keys(h.r.state.subjects)) {
		for _, v := range h.r.state.subjects[name].list(flag(req, "deleted")) {
			if v.id == id {
				list = append(list, rest.SubjectVersion{Subject: name, Version: v.number})
			}
		}
	}
	return list, nil
}

func (h *handler) versionsByID(req *http.Request) (any, error) {
	list, err := h.places(req)
	return page(req, list), err
}

func (h *handler) subjectsByID(req *http.Request) (any, error) {
	list, err := h.places(req)
	names := []string{}
	for _, p := range list {
		if !slices.Contains(names, p.Subject) {
			names = append(names, p.Subject)
		}
	}
	return page(req, names), err
}

func (h *handler) subjects(req *http.Request) (any, error) {
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	prefix := strings.TrimPrefix(req.URL.Query().Get("subjectPrefix"), ":*:")
	return page(req, h.r.names(prefix, flag(req, "deleted"))), nil
}

func (h *handler) versions(req *http.Request) (any, error) {
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	sub, err := h.r.subject(req.PathValue("subject"), flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	numbers := []int{}
	for _, v := range sub.list(flag(req, "deleted")) {
		numbers = append(numbers, v.number)
	}
	return page(req, numbers), nil
}

func (h *handler) version(req *http.Request) (any, error) {
	n, latest, err := number(req)
	if err != nil {
		return nil, err
	}
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	name := req.PathValue("subject")
	v, err := h.r.state.version(name, n, latest, flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	return h.formatted(req, h.r.answer(name, v))
}

func (h *handler) versionText(req *http.Request) (any, error) {
	s, err := h.version(req)
	if err != nil {
		return nil, err
	}
	return raw(s.(rest.Schema)), nil
}

func (h *handler) referencedBy(req *http.Request) (any, error) {
	n, latest, err := number(req)
	if err != nil {
		return nil, err
	}
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	v, err := h.r.state.version(req.PathValue("subject"), n, latest, true)
	if err != nil {
		return nil, err
	}
	ids := h.r.state.referencedBy(req.PathValue("subject"), v.number)
	if ids == nil {
		ids = []int{}
	}
	return page(req, ids), nil
}

func (h *handler) register(req *http.Request) (any, error) {
	s, err := body[rest.Schema](req)
	if err != nil {
		return nil, err
	}
	got, err := h.r.Register(req.Context(), req.PathValue("subject"), s)
	return struct {
		ID int `json:"id"`
	}{got.ID}, err
}

func (h *handler) lookUp(req *http.Request) (any, error) {
	s, err := body[rest.Schema](req)
	if err != nil {
		return nil, err
	}
	return h.r.LookUp(req.PathValue("subject"), s, flag(req, "deleted"))
}

func (h *handler) deleteSubject(req *http.Request) (any, error) {
	return h.r.Delete(req.Context(), req.PathValue("subject"), 0, false, flag(req, "permanent"))
}

func (h *handler) deleteVersion(req *http.Request) (any, error) {
	n, latest, err := number(req)
	if err != nil {
		return nil, err
	}
	numbers, err := h.r.Delete(req.Context(), req.PathValue("subject"), n, latest, flag(req, "permanent"))
	if err != nil {
		return nil, err
	}
	return numbers[0], nil
}

func (h *handler) test(req *http.Request) (any, error) {
	all := req.PathValue("version") == ""
	n, latest := 0, false
	if !all {
		var err error
		if n, latest, err = number(req); err != nil {
			return nil, err
		}
	}
	s, err := body[rest.Schema](req)
	if err != nil {
		return nil, err
	}
	faults, err := h.r.Test(req.PathValue("subject"), s, n, latest, all)
	out := rest.Compatibility{Compatible: len(faults) == 0}
	if flag(req, "verbose") {
		out.Messages = faults
	}
	return out, err
}

// serialized is state.serialized for a caller that holds the lock.
func (r *Registry) serialized(s rest.Schema) (string, error) {
	if protofile.Serialized(s.Text) != nil {
		return s.Text, nil
	}
	text, err := r.state.serialized(s)
	if err != nil {
		err = fmt.Errorf("schema %d: %w", s.ID, err)
	}
	return text, err
}
