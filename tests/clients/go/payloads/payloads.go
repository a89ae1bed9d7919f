// Package payloads is what the Go clients exchange.
package payloads

import "strings"

const MiB = 1024 * 1024

// A Payload is one WebSocket message.
type Payload struct {
	Text bool
	Data []byte
}

// All returns texts and binaries up to 1 MiB.
func All() []Payload {
	var all []Payload
	for _, text := range []string{"hello", "🎺 fanfare 𝄞", "", strings.Repeat("🎺", MiB/4)} {
		all = append(all, Payload{true, []byte(text)})
	}
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, MiB} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i*31 + 7)
		}
		all = append(all, Payload{false, data})
	}
	return all
}
