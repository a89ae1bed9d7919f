-- Gives up the right to send. KEYS: 1 the node that sends. ARGV: 1 the node.

if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return true
