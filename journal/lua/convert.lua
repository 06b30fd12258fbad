-- convert writes records in this layout over the same ones in an older layout. Only the builder
-- of an epoch may call it, before anything is restored. It may be repeated.
-- ARGV: id, window, '1' if these are the last ones. Then for each record: tradeNo, old record,
-- new record, and '' if it could be read. A record that could not be read is held now; it has the
-- letter of its old state, '?' where nobody knows that.
-- Answer: '1'.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id', 'claimed_until')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
call('HDEL', P .. 'epoch', 'claimed_until') -- so that it may write even at maxmemory: see build
call('HSET', P .. 'epoch', 'claimed_until', e[3] or '0')

-- hold puts a payout that could not be read into the lane where it is asked about. It stays in
-- its open set, so that the safe mark does not pass its command.
local function hold(tradeNo, record, was)
  local merchants = call('SMEMBERS', P .. 'merchants')
  merchants[#merchants + 1] = ''
  for _, owner in ipairs(merchants) do
    call('ZREM', due_set('s', owner), tradeNo)
    call('ZREM', due_set('a', owner), tradeNo)
  end
  call('ZREM', due_set('n'), tradeNo)
  call('ZREM', due_set('x'), tradeNo)
  local owner = merchant_of(record)
  call('SADD', P .. 'merchants', owner)
  local set = due_set('a', owner)
  call('ZADD', set, stamp(now), tradeNo)
  call('ZADD', INDEX, 'LT', stamp(now), lanes[set])
  if was ~= '?' then count(owner, was, -1) end
  count(owner, 'h', 1)
end

for i = 4, #ARGV, 4 do
  local key = P .. 'p:' .. ARGV[i]
  if call('GET', key) == ARGV[i + 1] then
    call('SET', key, ARGV[i + 2])
    if ARGV[i + 3] ~= '' then hold(ARGV[i], ARGV[i + 2], ARGV[i + 3]) end
  end
end
write_counts()
if ARGV[3] == '1' then
  for gen = generation() - 4, generation() + 4 do -- layout 1 kept no list of them
    local name = format('%.0f', gen)
    if call('EXISTS', P .. 'gen:' .. name) == 1 then call('ZADD', P .. 'generations', gen, name) end
  end
  call('HSET', P .. 'epoch', 'layout', LAYOUT)
  call('HDEL', P .. 'epoch', 'building_layout')
end
return '1'
