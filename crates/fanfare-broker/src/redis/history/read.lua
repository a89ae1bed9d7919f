-- Reads a part of a channel's history, and its newest position, at one moment of Redis.
--
-- KEYS: meta and stream of the channel.
-- ARGV: 1 an epoch for a channel that has none, 2 the seconds of meta, 3 'after' or 'before', 4 the offset after which
--   or before which, 5 the most publications, 6 the bytes after which the answer ends.
-- Answer: epoch, top, the entries in the order in which they were read, each with its id; then the epochs before.

local meta, stream, most, bytes = KEYS[1], KEYS[2], tonumber(ARGV[5]), tonumber(ARGV[6])
local known = redis.call('HMGET', meta, 'e', 't')
local epoch, top = known[1], tonumber(known[2] or 0)
if not epoch then
  epoch, top = ARGV[1], 0
  begin(meta, epoch)
end
redis.call('EXPIRE', meta, ARGV[2])

-- Offsets above the top are of a history whose meta was lost.
local is_after, at, last = ARGV[3] == 'after', tonumber(ARGV[4]), string.format('%.0f', top)
local found, read = {}, 0
while #found < most and read < bytes do
  local count, entries = math.min(most - #found, 32), nil
  if is_after then
    if at >= top then break end
    entries = redis.call('XRANGE', stream, string.format('%.0f', at + 1), last, 'COUNT', count)
  else
    if at > top + 1 then at = top + 1 end
    if at <= 1 then break end
    entries = redis.call('XREVRANGE', stream, string.format('%.0f', at - 1), '-', 'COUNT', count)
  end
  for _, entry in ipairs(entries) do
    local envelope = entry[2][2]
    at = tonumber(string.match(entry[1], '^%d+'))
    found[#found + 1] = {entry[1], envelope}
    read = read + #envelope
    if read >= bytes then break end
  end
  if #entries < count then break end
end
return {epoch, string.format('%.0f', top), found, epochs_before(meta)}
