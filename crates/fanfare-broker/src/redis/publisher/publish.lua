-- Publishes once, and keeps the publication. All of it happens at one moment of Redis.
--
-- KEYS: meta and stream of the channel, where it is kept; then the idempotency key, where there is one.
-- ARGV: 1 the Redis channel, 2 the size of the history (0: it is not kept), 3 its seconds, 4 the seconds of meta,
--   5 the incarnation of the node, 6 the sequence in 16 digits, 7 an epoch for a channel that has none, 8 the time in
--   seconds, 9 the beginning of the envelope that has the position, 10 the publication's own envelope, 11 the seconds
--   of the idempotency key, 12 the run of this server, and with Sentinels
--   the epoch of their configuration, as in 0123456789abcdef:7 ('': it is not known).
-- Answer: receivers, epoch, offset, and 0: delivered now; 1: delivered by the same publish before (offset 0: it is
--   not known any more); 2: a publish with the same idempotency key was taken before (epoch '': it was not kept).
--
-- Meta: 'e' the epoch, 't' the newest offset, and for each incarnation that published within the last hour the seconds,
-- the sequence and the offset of its last publish, as in 1700000000:0000000000000005:17. 'r' is the run of the server that
-- wrote it last. Another run may have lost the newest entries: its first publish begins an epoch, which goes on from the
-- offset 'b' of the epoch 'p' ('o': and from three more at most). Where Sentinels had another master in between, this
-- server may be an older one that came back, without all that the other one took: then 'p' is zero, an epoch that nobody
-- knows.
--
-- The first command that writes is one that Redis refuses where it has no memory left, or is a replica. A channel that
-- this user must not publish on is looked at before (from Redis 7 on).

local call, acl, FORBIDDEN = redis.call, redis.acl_check_cmd, 'NOPERM No permissions to access a channel'
local channel, size, sequence, envelope = ARGV[1], ARGV[2], ARGV[6], ARGV[10]

local once, mine = KEYS[size == '0' and 1 or 3], nil
if once then mine = ARGV[5] .. ':' .. sequence end

-- The answer where a publish with the same idempotency key was taken.
local function known_key()
  local found = once and call('GET', once)
  if not found then return nil end
  if found == mine then return {-1, '', 0, 1} end
  if string.byte(found, 9) ~= 64 then return {-1, '', 0, 2} end -- @
  return {-1, string.sub(found, 1, 8), tonumber(string.sub(found, 10)), 2}
end

if size == '0' then
  local taken = known_key()
  if taken then return taken end
  if acl and not acl('PUBLISH', channel, '') then return {err = FORBIDDEN} end
  call('SET', once, mine, 'EX', ARGV[11])
  local receivers = redis.pcall('PUBLISH', channel, envelope)
  if type(receivers) == 'table' then
    call('DEL', once)
    return receivers
  end
  return {receivers, '', 0, 0}
end

local meta, stream, now = KEYS[1], KEYS[2], ARGV[8]
local known = call('HMGET', meta, 'e', 't', ARGV[5], 'r')
local epoch, top, last, run = known[1], tonumber(known[2] or 0), known[3], ARGV[12]

if last and sequence <= string.sub(last, 12, 27) then
  -- It was executed before. Its origin and sequence are the same bytes at the same place in an entry that is not behind
  -- the last one of its node.
  local origin_end = 13 + string.byte(envelope, 13)
  local mark, newest = string.sub(envelope, 11, origin_end + 11), string.sub(last, 29)
  for _ = 1, 32 do
    local entries = call('XREVRANGE', stream, newest, '-', 'COUNT', 64)
    for _, entry in ipairs(entries) do
      if string.sub(entry[2][2], 11, origin_end + 11) == mark then
        return {-1, epoch, tonumber(string.match(entry[1], '^%d+')), 1}
      end
      newest = '(' .. entry[1]
    end
    if #entries < 64 then break end
  end
  -- A publish whose key was known wrote no entry.
  return known_key() or {-1, epoch, 0, 1}
end

local taken = known_key()
if taken then return taken end

-- The rest of the work is done once a second for each node.
local is_due = not last or string.sub(last, 1, 10) ~= now
if is_due and acl and not acl('PUBLISH', channel, '') then return {err = FORBIDDEN} end

local is_new = not epoch
if is_new then
  epoch, top = ARGV[7], 0
  call('DEL', stream)
elseif run ~= '' and known[4] ~= run then
  local was, before = string.match(known[4] or '', '^(%w*):?(%d*)$')
  local is, now = string.match(run, '^(%w*):?(%d*)$')
  before, now = tonumber(before), tonumber(now)
  local is_next = not before or not now or now - before <= 1
  if known[4] and (was ~= is or not is_next) then
    local from = is_next and epoch or string.rep('\0', 8)
    local all = from .. struct.pack('>I8', top) .. (is_next and string.sub(epochs_before(meta), 1, 48) or '')
    call('HSET', meta, 'p', from, 'b', top, 'o', all, 'e', ARGV[7], 'r', run)
    epoch = ARGV[7]
  elseif not before or now and now > before then
    -- A reader notes the run alone, and another node may have connected when the Sentinels' epoch was lower.
    call('HSET', meta, 'r', run)
  end
end
local offset = top + 1 .. ''
local added = redis.pcall('XADD', stream, 'MAXLEN', '~', size, offset .. '-0', 'd', envelope)
if type(added) == 'table' then
  if not string.find(added.err, 'equal or smaller', 1, true) then return added end
  -- Redis lost the meta, or went back to an older one: the offsets begin anew.
  is_new, epoch, top, offset = true, ARGV[7], 0, '1'
  call('DEL', stream)
  call('XADD', stream, '1-0', 'd', envelope)
end
local this = now .. ':' .. sequence .. ':' .. offset
if is_new then
  call('DEL', meta)
  call('HSET', meta, 'e', epoch, 't', offset, ARGV[5], this)
  if run ~= '' then call('HSET', meta, 'r', run) end
else
  call('HSET', meta, 't', offset, ARGV[5], this)
end
if is_due or is_new then
  call('EXPIRE', stream, ARGV[3] + 1)
  call('EXPIRE', meta, ARGV[4])
  if not last and not is_new then
    -- A node that published nothing for an hour does not write anything again.
    local fields = call('HGETALL', meta)
    for at = 1, #fields, 2 do
      local ago = #fields[at] == 16 and tonumber(now) - tonumber(string.sub(fields[at + 1], 1, 10))
      if ago and ago > 3600 then call('HDEL', meta, fields[at]) end
    end
  end
end
if once then call('SET', once, epoch .. '@' .. offset, 'EX', ARGV[11]) end
return {call('PUBLISH', channel, ARGV[9] .. epoch .. struct.pack('>I8', top + 1) .. envelope), epoch, top + 1, 0}
