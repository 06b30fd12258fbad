-- decided notes that a replay has found a valid decision that bears the id of an action (protocol A5).
-- ARGV: id of the building, nothing, for how long it is kept in ms, then ids of actions.
-- Answer: '1'.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
for i = 4, #ARGV do
  local key = P .. 'act:' .. ARGV[i]
  local fresh = call('EXISTS', key) == 0
  call('HSET', key, 'decided', ARGV[1])
  if fresh then call('PEXPIRE', key, ARGV[3]) end
end
return '1'
