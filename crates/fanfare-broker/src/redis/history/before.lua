-- The epochs that a channel's epoch goes on from, the newest first: each in 8 bytes, and its last offset in 8 more. An
-- earlier release knows the newest alone, 'p' and 'b'. It leaves an 'o' that does not begin with it.
local function epochs_before(meta)
  local known = redis.call('HMGET', meta, 'p', 'b', 'o')
  if not known[1] or known[3] and string.sub(known[3], 1, 8) == known[1] then return known[3] or '' end
  return known[1] .. struct.pack('>I8', known[2])
end

