// Go's centrifuge-go, as it comes, on two nodes. The scenarios are those of sdk.mjs of the same names.
//
//	sdk json|protobuf NODE1 NODE2 REDIS KEY SECRET SCENARIO...
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge-go"
)

const patience = 20 * time.Second // until something awaited counts as missing

var encoding, node1, node2, key, secret string

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Errorf("%#v is not %#v", found, expected))
	}
}

// next takes the next event from a channel.
func next[T any](events chan T, name string) T {
	select {
	case event := <-events:
		return event
	case <-time.After(patience):
		panic(fmt.Errorf("did not come: %s", name))
	}
}

func fresh(namespace string) string {
	name := strings.ToLower(rand.Text()[:8])
	if namespace == "" {
		return name
	}
	return namespace + ":" + name
}

type client struct {
	*centrifuge.Client
	connecting   chan centrifuge.ConnectingEvent
	connected    chan centrifuge.ConnectedEvent
	disconnected chan centrifuge.DisconnectedEvent
	id           string
}

// connect makes a client of a node, and waits until it is connected.
func connect(node string, config centrifuge.Config) *client {
	config.MinReconnectDelay, config.MaxReconnectDelay = 50*time.Millisecond, 500*time.Millisecond
	make := map[string]func(string, centrifuge.Config) *centrifuge.Client{
		"json": centrifuge.NewJsonClient, "protobuf": centrifuge.NewProtobufClient,
	}[encoding]
	made := &client{
		Client:       make(strings.Replace(node, "http", "ws", 1)+"/connection/websocket", config),
		connecting:   queue[centrifuge.ConnectingEvent](),
		connected:    queue[centrifuge.ConnectedEvent](),
		disconnected: queue[centrifuge.DisconnectedEvent](),
	}
	made.OnConnecting(func(event centrifuge.ConnectingEvent) { made.connecting <- event })
	made.OnConnected(func(event centrifuge.ConnectedEvent) { made.connected <- event })
	made.OnDisconnected(func(event centrifuge.DisconnectedEvent) { made.disconnected <- event })
	check(made.Connect())
	next(made.connecting, "connecting")
	made.id = next(made.connected, "connected").ClientID
	return made
}

func queue[T any]() chan T { return make(chan T, 1000) }

type subscription struct {
	*centrifuge.Subscription
	subscribed   chan centrifuge.SubscribedEvent
	publications chan centrifuge.PublicationEvent
	joins        chan centrifuge.JoinEvent
	leaves       chan centrifuge.LeaveEvent
	context      centrifuge.SubscribedEvent
}

// subscribe makes a subscription, and waits until it is there.
func (of *client) subscribe(channel string, config centrifuge.SubscriptionConfig) *subscription {
	plain, err := of.NewSubscription(channel, config)
	check(err)
	made := &subscription{
		Subscription: plain,
		subscribed:   queue[centrifuge.SubscribedEvent](),
		publications: queue[centrifuge.PublicationEvent](),
		joins:        queue[centrifuge.JoinEvent](),
		leaves:       queue[centrifuge.LeaveEvent](),
	}
	plain.OnSubscribed(func(event centrifuge.SubscribedEvent) { made.subscribed <- event })
	plain.OnPublication(func(event centrifuge.PublicationEvent) { made.publications <- event })
	plain.OnJoin(func(event centrifuge.JoinEvent) { made.joins <- event })
	plain.OnLeave(func(event centrifuge.LeaveEvent) { made.leaves <- event })
	check(plain.Subscribe())
	made.context = next(made.subscribed, "subscribed")
	return made
}

func connects() {
	made := connect(node1, centrifuge.Config{})
	check(made.Disconnect())
	equal(next(made.disconnected, "disconnected").Code, uint32(0))
}

func publishesAcrossNodes() {
	a := connect(node1, centrifuge.Config{Token: signed(map[string]any{"sub": "ada"})})
	b := connect(node2, centrifuge.Config{})
	defer a.Close()
	defer b.Close()
	channel := fresh("")
	ofA := a.subscribe(channel, centrifuge.SubscriptionConfig{})
	ofB := b.subscribe(channel, centrifuge.SubscriptionConfig{})
	_, err := ofA.Publish(context.Background(), []byte(`{"from":"a"}`))
	check(err)
	for _, reader := range []*subscription{ofA, ofB} {
		event := next(reader.publications, "publication")
		equal([]string{string(event.Data), event.Info.Client, event.Info.User}, []string{`{"from":"a"}`, a.id, "ada"})
	}
}

func readsHistory() {
	made := connect(node1, centrifuge.Config{})
	defer made.Close()
	of := made.subscribe(fresh("chat"), centrifuge.SubscriptionConfig{})
	for n := 1; n <= 5; n++ {
		_, err := of.Publish(context.Background(), fmt.Appendf(nil, "%d", n))
		check(err)
	}
	read := func(options ...centrifuge.HistoryOption) (string, centrifuge.HistoryResult) {
		told, err := of.History(context.Background(), options...)
		check(err)
		numbers := ""
		for _, publication := range told.Publications {
			numbers += string(publication.Data)
		}
		return numbers, told
	}
	numbers, told := read(centrifuge.WithHistoryLimit(-1))
	equal([]any{numbers, told.Offset}, []any{"12345", uint64(5)})
	since := centrifuge.WithHistorySince(&centrifuge.StreamPosition{Offset: 2, Epoch: told.Epoch})
	numbers, _ = read(centrifuge.WithHistoryLimit(2), since)
	equal(numbers, "34")
	numbers, _ = read(centrifuge.WithHistoryLimit(2), centrifuge.WithHistoryReverse(true))
	equal(numbers, "54")
	lost := centrifuge.WithHistorySince(&centrifuge.StreamPosition{Offset: 2, Epoch: "other"})
	_, err := of.History(context.Background(), centrifuge.WithHistoryLimit(1), lost)
	var refused *centrifuge.Error
	equal(errors.As(err, &refused) && refused.Code == 112, true)
}

func hearsJoins() {
	ada := connect(node1, centrifuge.Config{})
	bob := connect(node2, centrifuge.Config{Token: signed(map[string]any{"sub": "bob"})})
	defer ada.Close()
	defer bob.Close()
	channel := fresh("chat")
	heard := ada.subscribe(channel, centrifuge.SubscriptionConfig{JoinLeave: true})
	of := bob.subscribe(channel, centrifuge.SubscriptionConfig{})
	for event := next(heard.joins, "join"); event.Client != bob.id; event = next(heard.joins, "join") {
	}
	told, err := of.Presence(context.Background())
	check(err)
	equal([]any{len(told.Clients), told.Clients[bob.id].User}, []any{2, "bob"})
	check(of.Unsubscribe())
	equal(next(heard.leaves, "leave").Client, bob.id)
}

func recoversWhatItMissed() {
	proxy := newProxy(node1)
	defer proxy.close()
	made := connect(proxy.url, centrifuge.Config{})
	defer made.Close()
	channel := fresh("chat")
	reader := made.subscribe(channel, centrifuge.SubscriptionConfig{Recoverable: true, Positioned: true})
	publish := func(from, to int) {
		for n := from; n <= to; n++ {
			call(node2, "publish", map[string]any{"channel": channel, "data": n})
		}
	}
	publish(1, 3)
	heard := []string{}
	hear := func(count int) {
		for range count {
			heard = append(heard, string(next(reader.publications, "publication").Data))
		}
	}
	hear(3)
	proxy.cut()
	next(made.connecting, "connecting")
	publish(4, 13)
	proxy.mend()
	told := next(reader.subscribed, "subscribed")
	equal([]bool{told.WasRecovering, told.Recovered}, []bool{true, true})
	publish(14, 14)
	hear(11)
	equal(strings.Join(heard, " "), "1 2 3 4 5 6 7 8 9 10 11 12 13 14")
	equal(len(reader.publications), 0)
}

func refreshesItsToken() {
	asked := queue[bool]()
	made := connect(node1, centrifuge.Config{
		Token: signed(map[string]any{"sub": "ada", "exp": time.Now().Unix() - 60}),
		GetToken: func(centrifuge.ConnectionTokenEvent) (string, error) {
			asked <- true
			return signed(map[string]any{"sub": "ada", "exp": time.Now().Unix() + 2}), nil
		},
	})
	defer made.Close()
	for range 3 {
		next(asked, "a new token")
	}
	_, err := made.Publish(context.Background(), fresh(""), []byte("1"))
	check(err)
	equal([]int{len(made.connected), len(made.disconnected)}, []int{0, 0})
}

func isDisconnectedByTheAPI() {
	user := fresh("")
	made := connect(node1, centrifuge.Config{Token: signed(map[string]any{"sub": user})})
	defer made.Close()
	call(node2, "disconnect", map[string]any{"user": user, "code": 4000, "reason": "come back"})
	equal(next(made.connecting, "connecting"), centrifuge.ConnectingEvent{Code: 4000, Reason: "come back"})
	next(made.connected, "connected")
	call(node2, "disconnect", map[string]any{"user": user})
	equal(next(made.disconnected, "disconnected"), centrifuge.DisconnectedEvent{Code: 3503, Reason: "force disconnect"})
}

var scenarios = map[string]func(){
	"connects":                   connects,
	"publishes_across_nodes":     publishesAcrossNodes,
	"reads_history":              readsHistory,
	"hears_joins":                hearsJoins,
	"recovers_what_it_missed":    recoversWhatItMissed,
	"refreshes_its_token":        refreshesItsToken,
	"is_disconnected_by_the_api": isDisconnectedByTheAPI,
}

// holds runs a scenario, and says why it does not hold.
func holds(name string) (err any) {
	defer func() { err = recover() }()
	scenarios[name]()
	return nil
}

func main() {
	encoding, node1, node2, key, secret = os.Args[1], os.Args[2], os.Args[3], os.Args[5], os.Args[6]
	status := 0
	for _, name := range os.Args[7:] {
		if err := holds(name); err != nil {
			status = 1
			fmt.Fprintf(os.Stderr, "FAILED %s\n%v\n", name, err)
		} else {
			fmt.Printf("ok %s\n", name)
		}
	}
	os.Exit(status)
}
