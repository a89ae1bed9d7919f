// Go's github.com/gorilla/websocket: gorilla URL-A URL-B
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"

	"github.com/gorilla/websocket"

	"fanfare/tests/clients/payloads"
)

func join(url string) *websocket.Conn {
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

func exchange(from, to *websocket.Conn, payload payloads.Payload) error {
	kind := websocket.BinaryMessage
	if payload.Text {
		kind = websocket.TextMessage
	}
	if err := from.WriteMessage(kind, payload.Data); err != nil {
		return err
	}
	for _, conn := range []*websocket.Conn{from, to} {
		got, data, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		if got != kind || !bytes.Equal(data, payload.Data) {
			return fmt.Errorf("came back changed: type %d, %d bytes", got, len(data))
		}
	}
	return nil
}

// leave closes as RFC 6455 has it: a close frame each way.
func leave(conn *websocket.Conn) error {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := conn.WriteMessage(websocket.CloseMessage, bye); err != nil {
		return err
	}
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return fmt.Errorf("closing handshake: %w", err)
	}
	return conn.Close()
}

func main() {
	a, b := join(os.Args[1]), join(os.Args[2])
	for _, payload := range payloads.All() {
		if err := exchange(a, b, payload); err != nil {
			log.Fatal(err)
		}
		if err := exchange(b, a, payload); err != nil {
			log.Fatal(err)
		}
	}
	for _, conn := range []*websocket.Conn{a, b} {
		if err := leave(conn); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("Go gorilla/websocket: ok")
}
