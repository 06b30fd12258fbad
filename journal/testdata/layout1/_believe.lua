-- believe ends the script unless the epoch and the server are those that the caller
-- believes in (protocol E2): a wiped, restarted, promoted or foreign Redis is refused.
local function believe()
  local epoch = call('HMGET', P .. 'epoch', 'id', 'run_id')
  if not epoch[1] then return redis.error_reply('EPOCHGONE no epoch is open: the journal is new, wiped, or being rebuilt') end
  if epoch[1] ~= ARGV[1] then return redis.error_reply('EPOCHOVER another epoch is open: ' .. epoch[1]) end
  if epoch[2] ~= run_id() then return redis.error_reply('EPOCHOVER the server is not the one the epoch was opened on') end
  return nil
end
local disbelief = believe()
if disbelief then return disbelief end
