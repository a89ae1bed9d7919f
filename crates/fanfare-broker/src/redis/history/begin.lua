-- Gives a channel an epoch. It notes the run of this server too, where Redis tells it.
local run
local function begin(meta, epoch)
  if run == nil then
    local info = redis.pcall('INFO', 'server')
    run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or false
  end
  redis.call('HSET', meta, 'e', epoch, 't', 0)
  if run then redis.call('HSET', meta, 'r', string.sub(run, 1, 16)) end
end

