-- Keeps the right to send for a node, and reads the beginning of the outbox.
--
-- KEYS: 1 the outbox, 2 the node that sends.
-- ARGV: 1 the node, 2 the milliseconds for which it has the right, 3 the most events.
-- Answer: how many events wait, and the oldest ones. Nothing where another node has the right.

local sender = redis.call('GET', KEYS[2])
if sender and sender ~= ARGV[1] then return false end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {redis.call('XLEN', KEYS[1]), redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3])}
