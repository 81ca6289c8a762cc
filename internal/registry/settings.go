package registry

import (
	"net/http"
	"strings"

	"github.com/thalweg/thalweg/internal/registry/rest"
)

func (h *handler) config(req *http.Request) (any, error) {
	name := req.PathValue("subject")
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	if name != "" && !flag(req, "defaultToGlobal") {
		if sub := h.r.state.subjects[name]; sub == nil || sub.level == "" {
			return nil, refuse(rest.CodeConfigNotFound, "Subject '%s' does not have subject-level compatibility configured", name)
		}
	}
	return rest.Config{Level: string(h.r.levelOf(name))}, nil
}

func (h *handler) setConfig(req *http.Request) (any, error) {
	c, err := body[rest.Config](req)
	if err != nil {
		return nil, err
	}
	level := Level(strings.ToUpper(c.Change))
	if !level.known() {
		return nil, refuse(rest.CodeInvalidLevel, "Invalid compatibility level %q. Valid values are NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE, and FULL_TRANSITIVE", c.Change)
	}
	err = h.r.set(req.Context(), keyConfig, req.PathValue("subject"), rest.Config{Level: string(level)})
	return rest.Config{Change: string(level)}, err
}

func (h *handler) deleteConfig(req *http.Request) (any, error) {
	name := req.PathValue("subject")
	h.r.mu.RLock()
	level, own := h.r.levelOf(name), name == ""
	if sub := h.r.state.subjects[name]; sub != nil && sub.level != "" {
		own = true
	}
	h.r.mu.RUnlock()
	if !own {
		return nil, refuse(rest.CodeConfigNotFound, "Subject '%s' does not have subject-level compatibility configured", name)
	}
	return rest.Config{Level: string(level)}, h.r.set(req.Context(), keyConfig, name, nil)
}

func (h *handler) mode(req *http.Request) (any, error) {
	name := req.PathValue("subject")
	h.r.mu.RLock()
	defer h.r.mu.RUnlock()
	if name != "" && !flag(req, "defaultToGlobal") {
		if sub := h.r.state.subjects[name]; sub == nil || sub.mode == "" {
			return nil, refuse(rest.CodeModeNotFound, "Subject '%s' does not have subject-level mode configured", name)
		}
	}
	return rest.Mode{Mode: h.r.modeOf(name)}, nil
}

func (h *handler) setMode(req *http.Request) (any, error) {
	m, err := body[rest.Mode](req)
	if err != nil {
		return nil, err
	}
	m.Mode = strings.ToUpper(m.Mode)
	if m.Mode != modeReadWrite && m.Mode != modeReadOnly {
		return nil, refuse(rest.CodeInvalidMode, "Invalid mode %q. Valid values are %s, %s", m.Mode, modeReadWrite, modeReadOnly)
	}
	return m, h.r.set(req.Context(), keyMode, req.PathValue("subject"), m)
}

func (h *handler) deleteMode(req *http.Request) (any, error) {
	name := req.PathValue("subject")
	h.r.mu.RLock()
	mode := h.r.modeOf(name)
	h.r.mu.RUnlock()
	return rest.Mode{Mode: mode}, h.r.set(req.Context(), keyMode, name, nil)
}
