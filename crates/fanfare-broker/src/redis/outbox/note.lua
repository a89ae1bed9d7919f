-- Changes a channel by what a node knows, and tells what changed, in one step. A repetition changes nothing.
--
-- ARGV: 4 '1' where the node occupies the channel, '0' where it does not, '-' where that stays, 5 the seconds that
--   presence lives, then clients with their entries: '' for one that left.
-- Answer: the events that fell off the outbox, how many clients left, and the clients that joined. An error where the key of
--   presence is not a hash: then only the clients were not changed.

local left, joined, is_set = 0, {}, false
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[5], ARGV[1], 1)
  redis.call('HSET', KEYS[4], ARGV[2], 1)
  if redis.call('HSET', KEYS[3], ARGV[1], 1) == 1 and redis.call('HLEN', KEYS[3]) == 1 then
    tell('occupied')
  end
end
local size = redis.pcall('HLEN', KEYS[2])
local is_hash = type(size) == 'number'
for i = 6, is_hash and #ARGV or 0, 2 do
  local client, entry = ARGV[i], ARGV[i + 1]
  local known = redis.call('HMGET', KEYS[2], client)[1]
  if entry ~= '' then
    redis.call('HSET', KEYS[2], client, entry)
    is_set = true
    if not known then
      joined[#joined + 1] = client
      member('joined', client, entry)
    end
  elseif known then
    redis.call('HDEL', KEYS[2], client)
    left = left + 1
    member('left', client, known)
  end
end
if is_set then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
if ARGV[4] == '0' then vacate() end
if #ARGV > 5 and not is_hash then return size end
return {dropped, left, joined}
