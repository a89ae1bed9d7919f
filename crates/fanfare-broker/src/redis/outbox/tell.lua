-- The beginning of both scripts that change a channel and tell it.
--
-- KEYS: 1 the outbox, 2 the channel's presence, 3 the nodes that occupy the channel, 4 the channels that the node occupies,
--   5 the nodes that occupy channels.
-- ARGV: 1 the node, 2 the channel, 3 the most events of the outbox.

local dropped = 0

-- What falls off a full outbox is counted.
local function tell(event, ...)
  redis.call('XADD', KEYS[1], '*', 'e', event, 'c', ARGV[2], ...)
  dropped = dropped + redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[3])
end

local function member(event, client, entry)
  local is_read, value = pcall(cjson.decode, entry)
  local user = is_read and type(value) == 'table' and value.user
  tell(event, 'm', client, 'u', type(user) == 'string' and user or '')
end

local function vacate()
  redis.call('HDEL', KEYS[4], ARGV[2])
  if redis.call('HDEL', KEYS[3], ARGV[1]) == 1 and redis.call('HLEN', KEYS[3]) == 0 then
    tell('vacated')
  end
end
