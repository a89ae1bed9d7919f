// Java's own java.net.http.WebSocket: java JavaClient.java URL-A URL-B

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;

public class JavaClient {
    static final int MIB = 1024 * 1024;

    /** Puts fragments together: a String for text, a byte[] for binary. */
    static class Receiver implements WebSocket.Listener {
        final BlockingQueue<Object> received = new LinkedBlockingQueue<>();
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream binary = new ByteArrayOutputStream();

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                received.add(text.toString());
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
            byte[] bytes = new byte[part.remaining()];
            part.get(bytes);
            binary.writeBytes(bytes);
            if (last) {
                received.add(binary.toByteArray());
                binary.reset();
            }
            socket.request(1);
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            received.add(error);
        }
    }

    record Client(WebSocket socket, Receiver receiver) {
        static Client join(String url) {
            Receiver receiver = new Receiver();
            var builder = HttpClient.newHttpClient().newWebSocketBuilder().subprotocols("chat.v2", "chat.v1");
            WebSocket socket = builder.buildAsync(URI.create(url), receiver).join();
            check(socket.getSubprotocol().equals("chat.v2"), "subprotocol " + socket.getSubprotocol());
            return new Client(socket, receiver);
        }

        void send(Object payload) {
            if (payload instanceof String text) {
                socket.sendText(text, true).join();
            } else {
                socket.sendBinary(ByteBuffer.wrap((byte[]) payload), true).join();
            }
        }

        void expect(Object payload) throws InterruptedException {
            Object received = receiver.received.take();
            boolean same = payload instanceof byte[] sent
                    ? received instanceof byte[] bytes && Arrays.equals(sent, bytes)
                    : payload.equals(received);
            check(same, "came back changed: " + received);
        }
    }

    static void check(boolean condition, String otherwise) {
        if (!condition) {
            throw new AssertionError(otherwise);
        }
    }

    static byte[] pattern(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i * 31 + 7);
        }
        return bytes;
    }

    public static void main(String[] urls) throws InterruptedException {
        Object[] payloads = {
            "hello", "🎺 fanfare 𝄞", "", "🎺".repeat(MIB / 4),
            pattern(0), pattern(1), pattern(125), pattern(126), pattern(65535), pattern(65536), pattern(MIB),
        };
        Client a = Client.join(urls[0]);
        Client b = Client.join(urls[1]);
        for (Object payload : payloads) {
            for (Client sender : new Client[] {a, b}) {
                sender.send(payload);
                a.expect(payload);
                b.expect(payload);
            }
        }
        a.socket().sendClose(WebSocket.NORMAL_CLOSURE, "").join();
        b.socket().sendClose(WebSocket.NORMAL_CLOSURE, "").join();
        System.out.println("Java java.net.http: ok");
    }
}
