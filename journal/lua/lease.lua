-- lease hands out up to n payouts that are due for one step. It stamps each with a token and with
-- the lease's end by Redis' own clock. For a send it also writes sending (protocol S1). From here
-- on the payout may have been sent. Whoever finds it after the lease's end asks about it
-- (protocol S2). Two more scripts write sending, never for a send that is still to come: insert
-- and restore, of payouts that may have been sent (docs/states.md).
-- ARGV: epoch, step, merchant, token, n, lease in ms, the account to which a send goes and which
-- an ask is about. Then, of a send, two lists of what people stop: how many batches and which, how many payouts and
-- which. They are left where they wait (protocol A4). At last come the only payouts that may be leased; without any,
-- those that are due first.
-- Answer: now, the lease's end, the merchant's evidence (served at, about which tradeNo, the
-- latest settled tradeNo), how many stopped payouts were met. Then for each payout: tradeNo, what was
-- written over its record's beginning ('' if nothing was), and the record before that.
--
-- A repeated call with the same token answers the same payouts. go-redis repeats a call after a
-- lost reply; other payouts would leave the first group as sending without an owner.
local step, merchant, token = ARGV[2], ARGV[3], ARGV[4]
local n, deadline = tonumber(ARGV[5]), now + tonumber(ARGV[6])
local set, group = due_set(step, merchant), P .. 'lease:' .. token
local starts, ends = stamp(now), stamp(deadline)

-- Announcements and reviews are of all merchants, and need no evidence.
local evidence = merchant == '' and {} or call('HMGET', P .. 'served:' .. merchant, 'at', 'about', 'settled', 'account')
if evidence[4] ~= ARGV[7] then evidence[1], evidence[2] = false, false end -- another account was served
local answer = {starts, ends, evidence[1] or '', evidence[2] or '', evidence[3] or '', 0}

-- What people stop, and where in ARGV that ends.
local names_from, stopped_batches, stopped_payouts, met_stopped = 8, nil, nil, 0
local function stopped_ones()
  local n = tonumber(ARGV[names_from] or '0')
  local all = n > 0 and {} or nil
  for i = names_from + 1, names_from + n do all[ARGV[i]] = true end
  names_from = names_from + n + 1
  return all
end
if step == 's' then stopped_batches, stopped_payouts = stopped_ones(), stopped_ones() end
local function stopped(tradeNo, record)
  if stopped_payouts and stopped_payouts[tradeNo] then return true end
  return stopped_batches and stopped_batches[sub(batch_of(record), #merchant_of(record) + 2)]
end

local earlier = call('GET', group)
if earlier then
  local handed = {}
  for tradeNo in string.gmatch(earlier, '[^ ]+') do handed[#handed + 1] = tradeNo end
  fetch(handed)
  for _, tradeNo in ipairs(handed) do
    local record = records[tradeNo]
    if record and token_of(record) == token and lease_end_of(record) > 0 then
      answer[2] = stamp(lease_end_of(record))
      answer[#answer + 1] = tradeNo
      answer[#answer + 1] = ''
      answer[#answer + 1] = record
    end
  end
  return answer
end

-- What all that are leased get: the token and the lease's end, and those to send also what is known of
-- the send.
local leased, NEVER, UNSENT = token .. ends, stamp(0), '00'
local sent = step == 's' and starts .. ends .. ARGV[7]

-- take stamps one payout and answers what it wrote, nil if the payout isn't for this step (any
-- more). It makes only what changes: a copy of each record would cost more than all the rest.
local function take(tradeNo)
  local record = records[tradeNo]
  if not record then
    leave(set, tradeNo)
    return nil
  end
  if other_layout(record) then -- handed out as it is, for Go to name it; put off, for others to come first
    stay(set, ends, tradeNo)
    return ''
  end
  local state, head = state_of(record), nil
  if step == 's' then
    if (stopped_batches or stopped_payouts) and state_and_step_of(record) == WAITS_TO_BE_SENT and stopped(tradeNo, record) then
      met_stopped = met_stopped + 1
      return nil
    end
    leave(set, tradeNo)
    if state_and_step_of(record) ~= WAITS_TO_BE_SENT then return nil end
    local expires = sub(record, EXPIRES_FROM, EXPIRES_TO) -- 13 digits, as starts
    if expires ~= NEVER and expires <= starts then
      wait_in(due_set('x'), starts, tradeNo)
      return nil
    end
    local sends = sub(record, SENDS_FROM, SENDS_TO)
    -- A payout that may have been sent to another account is never sent to this one.
    if sends ~= UNSENT and account_of(record) ~= ARGV[7] then
      wait_in(due_set('x'), starts, tradeNo)
      return nil
    end
    sends = sends == UNSENT and '01' or format('%02d', math.min(tonumber(sends) + 1, 99))
    head = LAYOUT .. 'sa' .. leased .. sub(record, FINGERPRINT_FROM, SENDS_FROM - 1) .. sends .. sent
    if expires ~= NEVER then leave(due_set('x'), tradeNo) end
    local owner = merchant_of(record)
    wait_in(due_set('a', owner), ends, tradeNo)
    turn(owner, 'r', 's')
  elseif step == 'x' then
    if state ~= 'r' then
      leave(set, tradeNo)
      return nil
    end
    local owner = merchant_of(record)
    if step_of(record) == PARKED then
      leave(set_of(record), tradeNo)
      count(owner, PARKED, -1)
    else
      leave(due_set('s', owner), tradeNo)
    end
    stay(set, ends, tradeNo)
    head = LAYOUT .. 'rx' .. leased
  else
    if step_of(record) ~= step then
      leave(set, tradeNo)
      return nil
    end
    stay(set, ends, tradeNo)
    head = LAYOUT .. state .. step .. leased
  end
  begin_with(tradeNo, head)
  return head
end

-- young_first picks n of the due asks where more are due than can be made. Up to three
-- quarters are young: sent after the longest waiting one came due, the youngest first. The
-- others are those that have waited longest. By due time alone a backlog of old, slow payouts
-- would make a new one wait as long as they do. By age alone the old ones would never be asked
-- about. The young are looked for only among the last that came due, a few times n. What is
-- old comes due again no faster than it is asked about. first are the n that have waited longest.
local function young_first(due, first)
  local share = n - math.floor(n / 4)
  -- If n isn't divisible by 4, the token's last byte decides whether the odd place goes to a young
  -- payout. The token is the only thing here that is random.
  if string.byte(token, -1) % 4 < n % 4 then share = share - 1 end
  local longest = call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  local since, young = stamp(tonumber(longest)), {}
  local latest = call('ZRANGE', set, math.max(0, due - math.min(4 * n, 384)), due - 1)
  fetch(latest)
  for _, tradeNo in ipairs(latest) do
    local record = records[tradeNo]
    local last = record and sub(record, SENT_FROM, SENT_TO) or ''
    if last > since then young[#young + 1] = {tradeNo, last} end
  end
  table.sort(young, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  local picked, chosen = {}, {}
  for i = 1, math.min(share, #young) do
    picked[i] = young[i][1]
    chosen[picked[i]] = true
  end
  for _, tradeNo in ipairs(first) do
    if #picked < n and not chosen[tradeNo] then picked[#picked + 1] = tradeNo end
  end
  return picked
end

-- pick answers up to some payouts that are due, without the first ones, and whether there are more.
local function pick(without, some)
  local due = call('ZRANGEBYSCORE', set, '-inf', starts, 'LIMIT', without, some + 1)
  local more = #due > some
  if more then due[#due] = nil end
  if more and step == 'a' and n > 0 then due = young_first(call('ZCOUNT', set, '-inf', starts), due) end
  return due, more
end

local taken = {}
local function take_all(picked)
  fetch(picked)
  for _, tradeNo in ipairs(picked) do
    local head = take(tradeNo)
    if head then
      local n = #answer
      taken[#taken + 1] = tradeNo
      answer[n + 1], answer[n + 2], answer[n + 3] = tradeNo, head, records[tradeNo]
    end
  end
end
-- named answers those of the named payouts that are due in this lane. Somebody may have leased, parked or put
-- off the others since they were looked at.
local function named()
  local names = {unpack(ARGV, names_from)}
  local due = {}
  for i, at in ipairs(call('ZMSCORE', set, unpack(names))) do
    if at and tonumber(at) <= now then due[#due + 1] = names[i] end
  end
  return due
end

local picked, more
local chosen_ones = ARGV[names_from] ~= nil
if chosen_ones then picked, more = named(), true else picked, more = pick(0, n) end
take_all(picked)
-- Payouts that may not be sent are replaced by others. Otherwise a lease for one payout, a probe,
-- could hand out none. None has left the lane yet: see flush.
local looked = #picked
while step == 's' and more and not chosen_ones and met_stopped == 0 and #taken < n and looked < n + 500 do
  picked, more = pick(looked, n - #taken)
  looked = looked + #picked
  take_all(picked)
end
-- Where nothing is left that is due, the lane's bound would be too early, and the next look would have
-- to correct it.
flush(looked > 0 and not more and set or nil)
if #taken > 0 then call('SET', group, table.concat(taken, ' '), 'PX', ARGV[6]) end
write_counts()
answer[6] = met_stopped
return answer
