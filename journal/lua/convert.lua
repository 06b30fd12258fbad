-- convert writes records in this layout over the same ones in an older layout. Only the
-- builder of an epoch may call it, before anything is restored; it may be repeated.
-- ARGV: id, window, '1' if these are the last ones, then tradeNo, old record and new record
-- of each.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id', 'claimed_until')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
call('HDEL', P .. 'epoch', 'claimed_until') -- so that it may write even at maxmemory: see build
call('HSET', P .. 'epoch', 'claimed_until', e[3] or '0')
for i = 4, #ARGV, 3 do
  local key = P .. 'p:' .. ARGV[i]
  if call('GET', key) == ARGV[i + 1] then call('SET', key, ARGV[i + 2]) end
end
if ARGV[3] == '1' then
  for gen = generation() - 4, generation() + 4 do -- layout 1 kept no list of them
    local name = format('%.0f', gen)
    if call('EXISTS', P .. 'gen:' .. name) == 1 then call('ZADD', P .. 'generations', gen, name) end
  end
  call('HSET', P .. 'epoch', 'layout', LAYOUT)
end
return '1'
