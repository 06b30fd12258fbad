-- take leases payouts by name, for a person's action, in whatever lane they wait. A received one goes to the lane of
-- reviews. So nobody sends it while it is leased, and a review puts it back after a lease that ran out. Others stay
-- where they are asked about.
-- ARGV: epoch, window, token, lease in ms, which states may be leased, then tradeNo and bucket of each.
-- Answer: now, the lease's end, the evidence of the first one's merchant (as lease). Then for each payout a letter and
-- its record:
--  - y: leased
--  - b: somebody has it
--  - o: in another state or step
--  - e: ended; in the record's place is the state that is remembered
--  - n: unknown
local token, deadline, states = ARGV[3], now + tonumber(ARGV[4]), ARGV[5]
local starts, ends = stamp(now), stamp(deadline)
local tradeNos = {}
for i = 6, #ARGV, 2 do tradeNos[#tradeNos + 1] = ARGV[i] end
fetch(tradeNos)
local answer = {starts, ends, '', '', '', ''}

local function take(tradeNo, bucket)
  local record = records[tradeNo]
  if not record then
    local memo = recall(bucket, tradeNo)
    if memo and not sent_memo(memo) then return 'e', sub(memo, 1, 1) end
    return 'n', ''
  end
  if other_layout(record) then return 'o', '' end
  if answer[6] == '' then
    local evidence = call('HMGET', P .. 'served:' .. merchant_of(record), 'at', 'about', 'settled', 'account')
    for i = 1, 4 do answer[2 + i] = evidence[i] or '' end
  end
  local state, step = state_of(record), step_of(record)
  if token_of(record) == token and lease_end_of(record) > 0 then return 'y', record end -- the caller repeats
  -- What is leased while it is sending may be in flight, and not have left: nobody knows yet what becomes of it.
  local wanted, leased = find(states, state, 1, true) and step ~= 'n', lease_end_of(record) > now
  if leased and (wanted or state == 's') then return 'b', record end
  if not wanted then return 'o', record end
  local set = set_of(record)
  if state == 'r' then
    leave(set, tradeNo)
    if step == PARKED then count(merchant_of(record), PARKED, -1) end
    leave(due_set('x'), tradeNo)
    wait_in(due_set('x'), ends, tradeNo)
    step = 'x'
  else
    stay(set, ends, tradeNo)
  end
  local head = LAYOUT .. state .. step .. token .. ends
  begin_with(tradeNo, head)
  return 'y', head .. sub(record, #head + 1)
end

for i = 6, #ARGV, 2 do
  local letter, record = take(ARGV[i], ARGV[i + 1])
  answer[#answer + 1] = letter
  answer[#answer + 1] = record
end
flush()
write_counts()
return answer
