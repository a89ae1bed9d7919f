-- Takes a part of a dead node's clients out of a channel, and tells what changed, in one step. The last part takes the
-- node out too.
--
-- KEYS: 6 the heartbeat of the node.
-- ARGV: 4 the place of the part: '0', or the answer to the part before, 5 about how many clients are looked at, 6 this
--   burial. It marks a channel of several parts: what the node writes meanwhile replaces the mark, and so does another
--   burial.
-- Answer: the place of the next part ('0': this was the last one), 1 where the node is out of the channel, the events that
--   fell off the outbox, and the clients of the node that left, each with its entry. Nothing where the node lives.

if redis.call('EXISTS', KEYS[6]) == 1 then return false end
local scan = redis.pcall('HSCAN', KEYS[2], ARGV[4], 'MATCH', ARGV[1] .. '-*', 'COUNT', ARGV[5])
if scan.err then
  -- A key that is not a hash has no clients.
  if not string.find(scan.err, 'WRONGTYPE', 1, true) then return scan end
  scan = {'0', {}}
end
local place, entries, left, is_out = scan[1], scan[2], {}, 0
for i = 1, #entries, 2 do
  local client, entry = entries[i], entries[i + 1]
  -- A scan may show a field twice.
  if redis.call('HDEL', KEYS[2], client) == 1 then
    left[#left + 1] = {client, entry}
    member('left', client, entry)
  end
end
local mark = redis.call('HMGET', KEYS[3], ARGV[1])[1]
if place ~= '0' then
  if ARGV[4] == '0' and mark then redis.call('HSET', KEYS[3], ARGV[1], ARGV[6]) end
elseif ARGV[4] == '0' or not mark or mark == ARGV[6] then
  vacate()
  is_out = 1
end
return {place, is_out, dropped, left}
