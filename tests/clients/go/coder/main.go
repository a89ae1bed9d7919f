// Go's github.com/coder/websocket: coder URL-A URL-B
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/coder/websocket"

	"fanfare/tests/clients/payloads"
)

func join(ctx context.Context, url string) *websocket.Conn {
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	conn.SetReadLimit(2 * payloads.MiB)
	return conn
}

func exchange(ctx context.Context, from, to *websocket.Conn, payload payloads.Payload) error {
	kind := websocket.MessageBinary
	if payload.Text {
		kind = websocket.MessageText
	}
	if err := from.Write(ctx, kind, payload.Data); err != nil {
		return err
	}
	for _, conn := range []*websocket.Conn{from, to} {
		got, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if got != kind || !bytes.Equal(data, payload.Data) {
			return fmt.Errorf("came back changed: %v, %d bytes", got, len(data))
		}
	}
	return nil
}

func main() {
	ctx := context.Background()
	a, b := join(ctx, os.Args[1]), join(ctx, os.Args[2])
	for _, payload := range payloads.All() {
		if err := exchange(ctx, a, b, payload); err != nil {
			log.Fatal(err)
		}
		if err := exchange(ctx, b, a, payload); err != nil {
			log.Fatal(err)
		}
	}
	for _, conn := range []*websocket.Conn{a, b} {
		if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("Go coder/websocket: ok")
}
