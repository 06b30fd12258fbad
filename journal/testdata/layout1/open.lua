-- open ends the building of an epoch: from here on its id is believed (protocol E4 e).
-- ARGV: id, number, shards, reach in ms ('' to keep it), how many portions were planned, the
-- memory's window in ms, how many fences, then field and
-- value of each fence, then of each watermark. Answer: '1', or an error if the building record or the
-- server is not the caller's any more.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
-- What was planned must be done, all of it: who opens sooner sends again what was sent.
local portions = call('HGETALL', P .. 'portions')
local done = #portions / 2 == tonumber(ARGV[5])
for i = 2, #portions, 2 do done = done and sub(portions[i], 1, 13) == '9999999999999' end
if not done then return redis.error_reply('EPOCHOVER the rebuild is not complete') end
call('HDEL', P .. 'epoch', 'building', 'building_run_id', 'claimed_until') -- first: see build
call('DEL', P .. 'portions')
call('HSET', P .. 'epoch', 'number', ARGV[2], 'id', ARGV[1], 'run_id', e[2], 'shards', ARGV[3], 'window', ARGV[6])
if ARGV[4] ~= '' then call('HSET', P .. 'epoch', 'reach', ARGV[4]) end
local fences = 8 + 2 * tonumber(ARGV[7])
for i = 8, #ARGV, 2 do call('HSET', P .. (i < fences and 'epoch' or 'watermark'), ARGV[i], ARGV[i + 1]) end
return '1'
