//go:build !linux || !(amd64 || arm64)

package socket

import "net"

func wrap(c net.Conn) net.Conn { return c }
