-- The newest positions of channels. A channel that has no epoch gets one.
--
-- KEYS: the metas of the channels.
-- ARGV: 1 the seconds of meta, then an epoch for each channel that has none.
-- Answer: epoch and top of each channel.

local answer = {}
for at, meta in ipairs(KEYS) do
  local known = redis.call('HMGET', meta, 'e', 't')
  if not known[1] then
    known = {ARGV[at + 1], '0'}
    begin(meta, known[1])
  end
  redis.call('EXPIRE', meta, ARGV[1])
  answer[at] = {known[1], known[2]}
end
return answer
