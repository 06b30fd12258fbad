-- apply writes what became of leased payouts, each only if nobody else has touched it
-- since the lease: the state must be the expected one and the token the caller's
-- (protocol S2). The table of states stays in Go; this only guards.
-- ARGV: epoch, window, number of evidence entries, then for each of these merchant,
-- served at, about which tradeNo, settled tradeNo ('' if none); then for each payout
-- tradeNo, token, expected state, new state, due, bucket, record ('' to forget it but
-- for its memory), memory.
-- Answer: one letter a payout: a applied (also if this caller had done it before),
-- l lost to somebody else.
local first = 4 + 4 * tonumber(ARGV[3])

local tradeNos = {}
for i = first, #ARGV, 8 do tradeNos[#tradeNos + 1] = ARGV[i] end
fetch(tradeNos)

local closed, touched, ended = 0, {}, {}
local function settle()
  flush() -- begins with leaving: see there
  for _, e in ipairs(ended) do remember(e[1], e[2], e[3]) end
  ended = {}
end

local function apply(tradeNo, token, expected, state, due, bucket, record, memo)
  if touched[tradeNo] then settle() end -- an old owner's word and a new one's
  touched[tradeNo] = true
  local current = records[tradeNo]
  if not current then
    return (record == '' and recall(bucket, tradeNo) == memo) and 'a' or 'l'
  end
  if token_of(current) ~= token then return 'l' end
  if until_of(current) == 0 then
    -- This token has written before: the reply was lost and the caller repeats.
    return (state_of(current) == state and record ~= '') and 'a' or 'l'
  end
  if state_of(current) ~= expected then return 'l' end
  local merchant, partition = merchant_of(current), partition_of(current)
  leave(due_set(step_of(current), merchant), tradeNo)
  if record == '' then
    delete(tradeNo)
    leave(open_set(partition, merchant), tradeNo)
    ended[#ended + 1] = {bucket, tradeNo, memo}
    count(merchant, expected, -1)
    closed = closed + 1
    return 'a'
  end
  -- What the command said is the journal's: an insert may have filled it in meanwhile.
  record = splice(record, current, merchant)
  put(tradeNo, record)
  if step_of(record) == 'a' or partition ~= NO_PARTITION then -- without content nothing can be sent or announced
    wait_in(due_set(step_of(record), merchant), due, tradeNo)
  end
  local expires = expires_of(record)
  if state == 'r' and expires > 0 then wait_in(due_set('x'), expires, tradeNo) end
  count(merchant, expected, -1)
  count(merchant, state, 1)
  return 'a'
end

local outcomes = {}
for i = first, #ARGV, 8 do
  outcomes[#outcomes + 1] = apply(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7])
end
settle()
write_counts()
if closed > 0 then redis.call('DECRBY', P .. 'total', closed) end

for i = 4, first - 1, 4 do
  local key = P .. 'served:' .. ARGV[i]
  if ARGV[i + 1] > (redis.call('HGET', key, 'at') or '') then
    redis.call('HSET', key, 'at', ARGV[i + 1], 'about', ARGV[i + 2])
  end
  if ARGV[i + 3] ~= '' then redis.call('HSET', key, 'settled', ARGV[i + 3]) end
end
return table.concat(outcomes)
