package wire

import "net"

// Creation says whether topics are made on first use (auto.create.topics.enable), by requests that ask for it.
type Creation int8

// Values of Creation.
const (
	CreateNever      Creation = iota
	CreateOnLoopback          // of clients of a listener on a loopback address, or in this process
	CreateAlways
)

// creates reports whether topics are made on first use by the connection's client.
func (c *conn) creates() bool {
	switch c.server.cfg.AutoCreate {
	case CreateAlways:
		return true
	case CreateOnLoopback:
		ip := net.ParseIP(split(c.listener.Addr()).host)
		return ip == nil || ip.IsLoopback() // without an IP, it is a listener in this process
	}
	return false
}
