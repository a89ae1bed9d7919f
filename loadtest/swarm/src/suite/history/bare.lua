-- What every publish with history must do: the next offset, an entry of the stream, the expiry, the publication.
local stream, meta = KEYS[1] .. ':stream', KEYS[1] .. ':meta'
local offset = redis.call('HINCRBY', meta, 't', 1)
redis.call('XADD', stream, 'MAXLEN', '~', 200, offset .. '-0', 'd', ARGV[1])
redis.call('EXPIRE', stream, 3600)
redis.call('EXPIRE', meta, 2592000)
redis.call('PUBLISH', KEYS[1], ARGV[1])
return offset
