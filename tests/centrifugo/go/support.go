package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// signed makes a JWT (HS256).
func signed(claims map[string]any) string {
	encode := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(claims)
	check(err)
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// call calls a method of the API.
func call(node, method string, body map[string]any) {
	encoded, err := json.Marshal(body)
	check(err)
	request, err := http.NewRequest(http.MethodPost, node+"/api/"+method, bytes.NewReader(encoded))
	check(err)
	request.Header.Set("X-API-Key", key)
	answer, err := http.DefaultClient.Do(request)
	check(err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		panic(fmt.Errorf("%s: %s %s", method, answer.Status, text))
	}
}

// proxy stands before a node: cut ends its connections and takes no others before mend.
type proxy struct {
	url         string
	far         string
	listener    net.Listener
	lock        sync.Mutex
	connections []net.Conn
	isCut       bool
}

func newProxy(node string) *proxy {
	far, err := url.Parse(node)
	check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	made := &proxy{url: "http://" + listener.Addr().String(), far: far.Host, listener: listener}
	go made.serve()
	return made
}

func (p *proxy) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.far)
		if err != nil || !p.keep(near, far) {
			near.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				io.Copy(way[0], way[1])
				way[0].Close()
			}()
		}
	}
}

func (p *proxy) keep(connections ...net.Conn) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.isCut {
		return false
	}
	p.connections = append(p.connections, connections...)
	return true
}

func (p *proxy) cut() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.isCut = true
	for _, connection := range p.connections {
		connection.Close()
	}
	p.connections = nil
}

func (p *proxy) mend() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.isCut = false
}

func (p *proxy) close() {
	p.cut()
	p.listener.Close()
}
