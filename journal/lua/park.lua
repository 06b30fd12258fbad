-- park moves received payouts that nobody has leased (protocol A4). They go between the lane in
-- which they are due to be sent, the parked ones of their batch, and the lane of reviews. Go has asked for each
-- what people forbid. It needs no lease: what is leased has another state or step, and is left alone.
-- ARGV: epoch, to which step (k, s or x), up to where in the actions the caller has read. Then how many payouts
-- may be open that aren't parked (for s), and the batch of which they were parked ('' where they were due). Then tradeNos.
-- Answer: how many were moved, '1' if some were not because too many are open, and the last place that
-- somebody went by.
--
-- Whoever has read less than somebody before parks nothing and brings nothing back. What is due stays due, and
-- what is parked stays parked. Otherwise two instances could undo each other's work. A cancellation stands for
-- ever, so whoever knows of one is right.
local to, follows, names = ARGV[2], tonumber(ARGV[3]), {unpack(ARGV, 6)}
local followed = tonumber(call('GET', P .. 'followed') or '0')
if to ~= 'x' and follows < followed then return {0, '', format('%.0f', followed)} end

local room = #names
if to == 's' then
  room = tonumber(ARGV[4]) - tonumber(call('GET', P .. 'total') or '0')
  for _, parked in ipairs(call('HVALS', P .. 'parked')) do room = room + tonumber(parked) end
end

-- from answers the set that a payout leaves, nil if it stays.
local function from(record)
  local is = state_and_step_of(record)
  if is == IS_PARKED and to ~= PARKED or is == WAITS_TO_BE_SENT and to ~= 's' then return set_of(record) end
  return nil
end

-- They are looked for in their sets, of which there are few. Their due times go with them: notBefore counts on.
local sets = {}
local function gather(tradeNo)
  local record = records[tradeNo]
  if record and other_layout(record) then return end
  local set = record and from(record)
  if set then
    local list = sets[set]
    if not list then list = {}; sets[set] = list end
    list[#list + 1] = tradeNo
  elseif ARGV[5] ~= '' and not (record and state_and_step_of(record) == IS_PARKED) then
    leave(parked_set(ARGV[5]), tradeNo) -- it is no parked payout (any more)
  end
end

local moved, full, batches = 0, '', {}
local function move(tradeNo, due)
  local record = records[tradeNo]
  local owner = merchant_of(record)
  if state_and_step_of(record) == IS_PARKED then count(owner, PARKED, -1) end
  leave(set_of(record), tradeNo)
  begin_with(tradeNo, LAYOUT .. 'r' .. to)
  if to == PARKED then
    local batch = batch_of(record)
    wait_in(parked_set(batch), due, tradeNo)
    count(owner, PARKED, 1)
    if not batches[batch] then batches[batch], batches[#batches + 1] = true, batch end
  elseif to == 's' then
    wait_in(due_set('s', owner), due, tradeNo)
  else
    wait_in(due_set('x'), stamp(now), tradeNo)
  end
  moved = moved + 1
end

if #names > 0 then fetch(names) end
local seen = {}
for _, tradeNo in ipairs(names) do
  if not seen[tradeNo] then gather(tradeNo) end
  seen[tradeNo] = true
end
for set, list in pairs(sets) do
  for i, due in ipairs(call('ZMSCORE', set, unpack(list))) do
    if due and moved < room then move(list[i], due) elseif due then full = '1' end
  end
end
flush()
write_counts()
for _, batch in ipairs(batches) do call('ZADD', PARKED_SETS, 0, batch) end
if follows > followed then
  redis.pcall('SET', P .. 'followed', format('%.0f', follows)) -- at maxmemory, where nothing was moved, the next one notes it
  followed = follows
end
return {moved, full, format('%.0f', followed)}
