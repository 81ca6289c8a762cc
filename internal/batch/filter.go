package batch

// Filter appends to dst the batch b reduced to the records for which keep reports true. Offsets, last offset delta,
// producer fields, codec and timestamps stay; the count shrinks and may become 0. If horizon is not negative the
// batch gets it as its delete horizon (see Header.DeleteHorizon) in place of its base timestamp, unless it has one.
// The second result is the number of records kept. r is scratch. An error leaves dst as it was.
func Filter(dst, b []byte, r *Reader, horizon int64, keep func(*Record) bool) ([]byte, int, error) {
	if err := r.Reset(b); err != nil {
		return dst, 0, err
	}
	h := r.h
	if _, has := h.DeleteHorizon(); !has && horizon >= 0 {
		h.BaseTimestamp = horizon
		h.Attributes |= attrDeleteHorizon
	}
	at := len(dst)
	out := append(dst, make([]byte, HeaderSize)...)
	var raw []byte
	if h.Codec() == None {
		raw = out
	}
	h.Count = 0
	maxTimestamp := int64(-1)
	for rec := (Record{}); r.Next(&rec); {
		if !keep(&rec) {
			continue
		}
		timestamp := rec.Timestamp
		maxTimestamp = max(maxTimestamp, timestamp)
		raw = appendRecord(raw, timestamp-h.BaseTimestamp, rec.Offset-h.BaseOffset, rec.Key, rec.Value, rec.Headers)
		h.Count++
	}
	if r.err != nil {
		return dst, 0, r.err
	}
	switch {
	case h.Count == 0:
		h.Attributes &^= attrCodec // nothing is not compressed
	case h.Codec() == None:
		out = raw
	default:
		var err error
		if out, err = Compress(out, raw, h.Codec()); err != nil {
			return dst, 0, err
		}
	}
	if h.Count > 0 && !h.LogAppendTime() {
		h.MaxTimestamp = maxTimestamp
	}
	putHeader(out[at:], &h)
	return out, int(h.Count), nil
}
