package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/thalweg/thalweg/internal/registry/rest"
)

// Limits of a question to the registry.
const (
	attempts       = 4
	attemptTimeout = 10 * time.Second
	askTimeout     = 30 * time.Second // all attempts together
	firstPause     = 100 * time.Millisecond
	answerMost     = 16 << 20 // bytes
)

func escape(subject string) string { return url.PathEscape(subject) }

// ask sends one request and reads the answer into out. A registry that cannot be reached, or says that it is busy or
// broken, is asked again, the next of its addresses if it has several; any other refusal is final.
func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	var last error
	pause := firstPause
	for i := range attempts {
		if i > 0 {
			if err := wait(ctx, pause); err != nil {
				break
			}
			pause *= 4
		}
		again, err := c.once(ctx, method, c.urls[i%len(c.urls)]+path, body, out)
		if err == nil || !again {
			return err
		}
		last = err
	}
	return fmt.Errorf("no registry answers: %w", last)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// once is one attempt. again says that another one may succeed.
func (c *Client) once(ctx context.Context, method, url string, body []byte, out any) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Accept", rest.ContentType+", application/json")
	if body != nil {
		req.Header.Set("Content-Type", rest.ContentType)
	}
	if c.opts.User != "" {
		req.SetBasicAuth(c.opts.User, c.opts.Password)
	}
	resp, err := c.opts.HTTP.Do(req)
	if err != nil {
		var cert *tls.CertificateVerificationError
		return ctx.Err() == nil && !errors.As(err, &cert), err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMost+1))
	if err != nil {
		return true, err
	}
	if len(text) > answerMost {
		return false, fmt.Errorf("%s %s: an answer of more than %d bytes", method, url, answerMost)
	}
	if resp.StatusCode/100 == 2 {
		if err := json.Unmarshal(text, out); err != nil {
			return false, fmt.Errorf("%s %s: %w", method, url, err)
		}
		return false, nil
	}
	e := &rest.Error{}
	if json.Unmarshal(text, e) != nil || e.Message == "" {
		e.Message = resp.Status
	}
	if e.Status() != resp.StatusCode {
		e.Code = resp.StatusCode
	}
	again = resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout
	return again, e
}

// missing reports whether err says that there is no such thing, for good.
func missing(err error) bool {
	var e *rest.Error
	return errors.As(err, &e) && e.Status() == http.StatusNotFound
}
