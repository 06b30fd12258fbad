-- open ends the building of an epoch: from here on its id is believed (protocol E4 e). What a person's action had
-- ended and nobody has decided becomes held: only the epoch that wrote it may decide it (protocol A5).
-- ARGV: id, number, shards, reach in ms ('' to leave it), number of portions planned, dedup window in
-- ms. Then the latest action as 'generation:offset:id' ('' for none), and how many fields of the epoch
-- follow. These are its fences, and where the actions end. Then come 'anew' and 1 where all watermarks
-- are void; then field and value of each watermark and witness.
-- Answer: '1', or an error if the building record or the server is not the caller's any more.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id', 'layout')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
if e[3] ~= LAYOUT then return redis.error_reply('EPOCHOVER the records are of layout ' .. (e[3] or '1') .. ', and not converted yet') end
-- What was planned must be done, all of it: an instance that opens sooner sends again what was sent.
local portions = call('HGETALL', P .. 'portions')
local done = #portions / 2 == tonumber(ARGV[5])
for i = 2, #portions, 2 do done = done and sub(portions[i], 1, 13) == '9999999999999' end
if not done then return redis.error_reply('EPOCHOVER the rebuild is not complete') end
call('HDEL', P .. 'epoch', 'building', 'building_run_id', 'claimed_until') -- first: see build
call('HDEL', P .. 'epoch', 'clock_from', 'clock_until', 'clock_jumped') -- the next clock stamps them
call('DEL', P .. 'portions')
local send_by = math.max(now, tonumber(call('HGET', P .. 'epoch', 'send_by') or '0'))
for _, tradeNo in ipairs(call('HKEYS', UNDECIDED)) do
  local record = call('GET', P .. 'p:' .. tradeNo)
  if record and not other_layout(record) and doubtful(record) then reopen(tradeNo, record, send_by, 'n', to_look_at()) end
end
call('DEL', UNDECIDED)
write_counts()
call('HSET', P .. 'epoch', 'number', ARGV[2], 'id', ARGV[1], 'run_id', e[2], 'shards', ARGV[3], 'dedup_window', ARGV[6])
if ARGV[4] ~= '' then call('HSET', P .. 'epoch', 'reach', ARGV[4]) end
call('HDEL', P .. 'epoch', 'action', 'action_told') -- the builder has read what stood there
if ARGV[7] ~= '' then call('HSET', P .. 'epoch', 'action', ARGV[7]) end
local fences = 9 + 2 * tonumber(ARGV[8])
if ARGV[fences] == 'anew' then call('DEL', P .. 'watermark') end -- the marks are of topics that aren't the same any more
for i = 9, #ARGV, 2 do call('HSET', P .. (i < fences and 'epoch' or 'watermark'), ARGV[i], ARGV[i + 1]) end
return '1'
