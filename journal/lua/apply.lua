-- apply writes what became of leased payouts, each only if nobody else has touched it since the
-- lease (protocol S2). Its state must be the expected one and its token the caller's. What a
-- state may become is decided in Go; this only guards.
-- ARGV: epoch, window, number of evidence entries. For each of these: merchant, account, served
-- at, about which tradeNo, settled tradeNo ('' if none). Then for each payout: tradeNo, token,
-- expected state, due, head, progress. A payout that is to be forgotten but for the dedup
-- window has instead: tradeNo, token, expected state, bucket, '', what is remembered.
-- The head has the end of the lease where the lease goes on, otherwise 0.
-- Answer: one letter a payout: a applied (also if this caller had done it before), l lost to
-- somebody else.
local first = 4 + 5 * tonumber(ARGV[3])

local tradeNos, n = {}, 0
for i = first, #ARGV, 6 do
  n = n + 1
  tradeNos[n] = ARGV[i]
end
fetch(tradeNos)

local OVER, NOWHERE = stamp(0), format('%06d', NO_PARTITION)
local closed, touched, ended = 0, {}, {} -- ended: bucket, tradeNo and memo by turns
local function settle()
  flush() -- begins with leaving: see there
  local hashes = {}
  for i = 1, #ended, 3 do hashes[#hashes + 1] = present_hash(ended[i]) end
  local old = #hashes > 1 and call('EXISTS', unpack(hashes)) == #hashes -- mostly; one question is enough then
  for i = 1, #ended, 3 do remember(ended[i], ended[i + 1], ended[i + 2], old) end
  ended = {}
end

-- succeed answers the new record. What the command said, its expiry and its place in the topic
-- stay the journal's. An insert may have filled them in, or moved them, during the lease.
local function succeed(current, head, said_end, progress)
  return sub(head, 1, EXPIRES_FROM - 1) .. sub(current, EXPIRES_FROM, EXPIRES_TO) .. sub(head, SENDS_FROM, FLAGS_FROM)
    .. sub(current, FLAGS_FROM + 1, said_end) .. progress
end

local function apply(tradeNo, token, expected, due, head, rest)
  if touched[tradeNo] then settle() end -- an old owner's word and a new one's
  touched[tradeNo] = true
  local current, forget = records[tradeNo], head == ''
  if not current then
    return (forget and recall(due, tradeNo) == rest) and 'a' or 'l'
  end
  if other_layout(current) then return 'l' end
  if token_of(current) ~= token then return 'l' end
  local state, lease_end = state_of(current), sub(current, LEASE_END_FROM, LEASE_END_TO)
  if lease_end == OVER then
    -- This token has written before: the caller repeats after a lost reply.
    return (not forget and state == state_of(head)) and 'a' or 'l'
  end
  if state ~= expected then
    -- The same, after a write with which the lease went on.
    return (not forget and state == state_of(head) and lease_end == sub(head, LEASE_END_FROM, LEASE_END_TO)) and 'a' or 'l'
  end
  local merchant_end, said_end = command_of(current)
  local merchant, partition = sub(current, HEAD + 1, merchant_end - 1), sub(current, PARTITION_FROM, PARTITION_TO)
  local set = due_set(step_of(current), merchant)
  if forget then
    leave(set, tradeNo)
    delete(tradeNo)
    leave(open_set(tonumber(partition), merchant), tradeNo)
    local last = #ended
    ended[last + 1], ended[last + 2], ended[last + 3] = due, tradeNo, rest
    count(merchant, expected, -1)
    closed = closed + 1
    if sub(current, FLAGS_FROM, FLAGS_FROM) == PERSONS_END then call('HDEL', UNDECIDED, tradeNo) end -- it was decided before it was announced
    return 'a'
  end
  put(tradeNo, succeed(current, head, said_end, rest))
  local becomes, step = state_of(head), step_of(head)
  local next_set = due_set(step, merchant)
  if step ~= 'a' and partition == NOWHERE then -- without content nothing can be sent or announced
    leave(set, tradeNo)
  elseif next_set == set then
    stay(set, due, tradeNo)
  else
    leave(set, tradeNo)
    wait_in(next_set, due, tradeNo)
  end
  if becomes == 'r' and step ~= 'x' then -- what waits for its merchant has a time of its own there
    local expires = expires_of(current)
    if expires > 0 then wait_in(due_set('x'), expires, tradeNo) end
  end
  if becomes ~= expected then turn(merchant, expected, becomes) end
  return 'a'
end

local outcomes, args = {}, ARGV
for k = 1, n do
  local i = first + 6 * (k - 1)
  outcomes[k] = apply(args[i], args[i + 1], args[i + 2], args[i + 3], args[i + 4], args[i + 5])
end
settle()
write_counts()
if closed > 0 then call('DECRBY', P .. 'total', closed) end

for i = 4, first - 1, 5 do
  local key, fields = P .. 'served:' .. ARGV[i], {}
  if ARGV[i + 4] ~= '' then fields = {'settled', ARGV[i + 4]} end
  if ARGV[i + 2] > (call('HGET', key, 'at') or '') then
    local n = #fields
    fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4], fields[n + 5], fields[n + 6] = 'at', ARGV[i + 2], 'about', ARGV[i + 3], 'account', ARGV[i + 1]
  end
  if #fields > 0 then call('HSET', key, unpack(fields)) end
end
return table.concat(outcomes)
