-- Takes a dead node out of a channel, and tells what changed, in one step.
--
-- KEYS: 6 the heartbeat of the node.
-- Answer: the events that fell off the outbox, and the clients of the node that left, each with its entry. Nothing where
--   the node lives.

if redis.call('EXISTS', KEYS[6]) == 1 then return false end
local left, of_node = {}, ARGV[1] .. '-'
local entries = redis.call('HGETALL', KEYS[2])
for i = 1, #entries, 2 do
  local client, entry = entries[i], entries[i + 1]
  if string.sub(client, 1, #of_node) == of_node then
    redis.call('HDEL', KEYS[2], client)
    left[#left + 1] = {client, entry}
    member('left', client, entry)
  end
end
vacate()
return {dropped, left}
