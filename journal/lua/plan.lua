-- plan notes the portions of a rebuild, which share hands out. Only the builder calls it, once.
-- ARGV: id, the settings that all who work on it must share, then name and text of each portion.
-- Answer: '1'.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id', 'claimed_until')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
call('HDEL', P .. 'epoch', 'claimed_until') -- so that it may write even at maxmemory: see build
call('HSET', P .. 'epoch', 'claimed_until', e[3] or '0')
call('DEL', P .. 'portions')
call('HSET', P .. 'epoch', 'planned', ARGV[2])
for i = 3, #ARGV, 2 do call('HSET', P .. 'portions', ARGV[i], stamp(0) .. '-\n' .. ARGV[i + 1]) end
return '1'
