# Ruby's faye-websocket on EventMachine: ruby ruby_faye.rb URL-A URL-B
require "eventmachine"
require "faye/websocket"

MIB = 1024 * 1024
TEXTS = ["hello", "🎺 fanfare 𝄞", "", "🎺" * (MIB / 4)].freeze
BINARIES = [0, 1, 125, 126, 65_535, 65_536, MIB].map { |n| Array.new(n) { |i| (i * 31 + 7) % 256 } }.freeze
PAYLOADS = (TEXTS + BINARIES).freeze

# Faye hands over text as a String and binary as an Array of bytes, so equality covers the type.
def exchange(sockets)
  rounds = sockets.product(PAYLOADS)
  waiting = 0
  send_next = lambda do
    sender, @payload = rounds.shift
    return finish(sockets) unless sender

    waiting = sockets.size
    sender.send(@payload)
  end
  sockets.each do |socket|
    socket.on(:message) do |event|
      abort("came back changed: #{event.data.class}, #{event.data.size}") unless event.data == @payload
      waiting -= 1
      send_next.call if waiting.zero?
    end
  end
  send_next.call
end

def finish(sockets)
  puts "Ruby faye-websocket: ok"
  closed = 0
  sockets.each do |socket|
    socket.on(:close) { EventMachine.stop if (closed += 1) == sockets.size }
    socket.close
  end
end

EventMachine.run do
  opened = 0
  sockets = ARGV.map { |url| Faye::WebSocket::Client.new(url) }
  sockets.each do |socket|
    socket.on(:open) { exchange(sockets) if (opened += 1) == sockets.size }
    socket.on(:error) { |event| abort(event.message) }
  end
end
