// Java's centrifuge-java, as it comes, on two nodes. It speaks Protobuf. The scenarios are those of sdk.mjs of the same
// names.
//
//   java -cp 'JARS/*' Sdk.java NODE1 NODE2 REDIS KEY SECRET SCENARIO...

import io.github.centrifugal.centrifuge.*;
import io.github.centrifugal.centrifuge.EventListener;
import java.io.IOException;
import java.net.*;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;

public class Sdk {
    static final long PATIENCE = 30; // seconds until something awaited counts as missing
    static String node1, node2, key;

    interface Scenario {
        void run() throws Exception;
    }

    static final Map<String, Scenario> SCENARIOS = Map.of(
        "connects", Sdk::connects,
        "publishes_across_nodes", Sdk::publishesAcrossNodes,
        "recovers_what_it_missed", Sdk::recoversWhatItMissed);

    static void equal(Object found, Object expected) {
        if (!Objects.equals(found, expected)) throw new AssertionError(found + " is not " + expected);
    }

    static <T> T next(BlockingQueue<T> events, String name) throws InterruptedException {
        T event = events.poll(PATIENCE, TimeUnit.SECONDS);
        if (event == null) throw new AssertionError("did not come: " + name);
        return event;
    }

    static String fresh(String namespace) {
        return namespace + UUID.randomUUID().toString().substring(0, 8);
    }

    static class Connected extends EventListener implements AutoCloseable {
        final BlockingQueue<String> ids = new LinkedBlockingQueue<>();
        final BlockingQueue<Integer> connecting = new LinkedBlockingQueue<>();
        final BlockingQueue<Integer> ends = new LinkedBlockingQueue<>();
        final Client client;
        final String id;

        Connected(String node) throws Exception {
            Options options = new Options();
            options.setMinReconnectDelay(50);
            options.setMaxReconnectDelay(500);
            client = new Client(node.replaceFirst("http", "ws") + "/connection/websocket", options, this);
            client.connect();
            id = next(ids, "connected");
            connecting.clear();
        }

        @Override
        public void onConnected(Client client, ConnectedEvent event) {
            ids.add(event.getClient());
        }

        @Override
        public void onConnecting(Client client, ConnectingEvent event) {
            connecting.add(event.getCode());
        }

        @Override
        public void onDisconnected(Client client, DisconnectedEvent event) {
            ends.add(event.getCode());
        }

        @Override
        public void close() throws InterruptedException {
            client.close(1000);
        }
    }

    static class Subscribed extends SubscriptionEventListener {
        final BlockingQueue<SubscribedEvent> subscribed = new LinkedBlockingQueue<>();
        final BlockingQueue<PublicationEvent> publications = new LinkedBlockingQueue<>();
        final Subscription subscription;

        Subscribed(Connected of, String channel, boolean isRecoverable) throws Exception {
            SubscriptionOptions options = new SubscriptionOptions();
            options.setRecoverable(isRecoverable);
            subscription = of.client.newSubscription(channel, options, this);
            subscription.subscribe();
            next(subscribed, "subscribed");
        }

        void publish(String data) throws Exception {
            CompletableFuture<Void> taken = new CompletableFuture<>();
            subscription.publish(data.getBytes(StandardCharsets.UTF_8), (error, result) -> {
                if (error == null) taken.complete(null);
                else taken.completeExceptionally(error);
            });
            taken.get(PATIENCE, TimeUnit.SECONDS);
        }

        @Override
        public void onSubscribed(Subscription subscription, SubscribedEvent event) {
            subscribed.add(event);
        }

        @Override
        public void onPublication(Subscription subscription, PublicationEvent event) {
            publications.add(event);
        }
    }

    static String text(PublicationEvent event) {
        return new String(event.getData(), StandardCharsets.UTF_8);
    }

    static void connects() throws Exception {
        try (Connected ada = new Connected(node1)) {
            ada.client.disconnect();
            equal(next(ada.ends, "disconnected"), 0);
        }
    }

    static void publishesAcrossNodes() throws Exception {
        try (Connected a = new Connected(node1); Connected b = new Connected(node2)) {
            String channel = fresh("");
            Subscribed ofA = new Subscribed(a, channel, false);
            Subscribed ofB = new Subscribed(b, channel, false);
            ofA.publish("{\"from\":\"a\"}");
            for (Subscribed reader : List.of(ofA, ofB)) {
                PublicationEvent event = next(reader.publications, "publication");
                equal(text(event), "{\"from\":\"a\"}");
                equal(event.getInfo().getClient(), a.id);
            }
        }
    }

    static void recoversWhatItMissed() throws Exception {
        try (Proxy proxy = new Proxy(node1); Connected ada = new Connected(proxy.url)) {
            String channel = fresh("chat:");
            Subscribed reader = new Subscribed(ada, channel, true);
            publish(channel, 1, 3);
            StringBuilder heard = new StringBuilder();
            for (int n = 1; n <= 3; n++) heard.append(text(next(reader.publications, "what is live"))).append(' ');
            proxy.cut();
            next(ada.connecting, "connecting");
            publish(channel, 4, 13);
            proxy.isCut = false;
            SubscribedEvent told = next(reader.subscribed, "subscribed again");
            equal(List.of(told.wasRecovering(), told.getRecovered()), List.of(true, true));
            publish(channel, 14, 14);
            for (int n = 4; n <= 14; n++) heard.append(text(next(reader.publications, "what was missed"))).append(' ');
            equal(heard.toString(), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 ");
            equal(reader.publications.size(), 0);
        }
    }

    /** Publishes numbers by the API. */
    static void publish(String channel, int from, int to) throws Exception {
        for (int n = from; n <= to; n++) {
            String body = "{\"channel\":\"" + channel + "\",\"data\":" + n + "}";
            HttpRequest request = HttpRequest.newBuilder(URI.create(node2 + "/api/publish"))
                .header("X-API-Key", key).POST(HttpRequest.BodyPublishers.ofString(body)).build();
            equal(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode(), 200);
        }
    }

    /** Stands before a node: cut ends its connections, and it takes no others while isCut. */
    static class Proxy implements AutoCloseable {
        final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
        final String url = "http://127.0.0.1:" + listener.getLocalPort();
        volatile boolean isCut;

        Proxy(String node) throws IOException {
            URI far = URI.create(node);
            start(() -> {
                while (true) {
                    Socket near = listener.accept();
                    if (isCut) near.close();
                    else join(near, new Socket(far.getHost(), far.getPort()));
                }
            });
        }

        void join(Socket near, Socket far) {
            for (Socket[] way : new Socket[][] {{near, far}, {far, near}}) {
                sockets.add(way[0]);
                start(() -> {
                    way[0].getInputStream().transferTo(way[1].getOutputStream());
                    way[1].close();
                });
            }
        }

        /** An error is the end of a connection. */
        static void start(Scenario work) {
            Thread thread = new Thread(() -> {
                try {
                    work.run();
                } catch (Exception ended) {
                    return;
                }
            });
            thread.setDaemon(true);
            thread.start();
        }

        void cut() throws IOException {
            isCut = true;
            for (Socket socket : sockets) socket.close();
            sockets.clear();
        }

        @Override
        public void close() throws IOException {
            cut();
            listener.close();
        }
    }

    public static void main(String[] args) {
        node1 = args[0];
        node2 = args[1];
        key = args[3];
        int status = 0;
        for (String name : Arrays.copyOfRange(args, 5, args.length)) {
            try {
                SCENARIOS.get(name).run();
                System.out.println("ok " + name);
            } catch (Throwable error) {
                status = 1;
                System.err.println("FAILED " + name);
                error.printStackTrace();
            }
        }
        System.exit(status);
    }
}
