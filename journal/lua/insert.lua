-- insert makes commands known, each once, and moves the read position.
-- ARGV: epoch, window, partition, from, to ('' while the range goes on in a later call), anchor, how many
-- parked payouts of a merchant don't count. Then comes up to where in the actions the caller has read. Then for each payout: tradeNo, carried, record time, due, bucket, offset, record.
-- The anchor says what stands before to, by which the topic is recognised ('' if not known).
-- A due time of '' means now, by this clock: the caller's own may be wrong.
-- Carried is '' but for a payout whose command was published again because it had been open for
-- long (protocol I5). Then it is its state's letter: r, s or h.
-- Answer: outcomes, one letter each (n new, r rejected, o held because old, d duplicate, c
-- conflict). Then the number of open payouts, without such parked ones, and the time.
--
-- A range that begins past the read position is refused (protocol I1). A consumer that retries an
-- old range must not jump over what a new epoch has to read again.
-- With conflicts in the range the position stays: the caller publishes these as dead letters
-- first, and then calls again without them.
--
-- Whoever hasn't read a batch's cancel yet inserts nothing once a pass for it has begun (protocol A10). Otherwise a
-- scheduled payout of the batch would wait until it is due.
local partition, from, to = ARGV[3], tonumber(ARGV[4]), ARGV[5]
if #ARGV > 8 and epoch[6] and tonumber(ARGV[8]) <= tonumber(epoch[6]) then
  return redis.error_reply('ACTIONS a batch is cancelled by a record that the caller has not read: it has read up to ' .. ARGV[8] .. ', the cancel is ' .. epoch[6])
end
local position = tonumber(call('HGET', P .. 'position', partition) or '-1')
if position < 0 then return redis.error_reply('POSITION none for partition ' .. partition) end
if from > position then
  return redis.error_reply('POSITION ' .. format('%.0f', position) .. ' is before the range that begins at ' .. ARGV[4])
end

-- An unknown command that is older than reach may have been paid and forgotten (protocol I4). It
-- is older than the window, or than what the last rebuild could read.
local reach = math.max(now - window, tonumber(epoch[5] or '0'))

local tradeNos = {}
for i = 9, #ARGV, 7 do tradeNos[#tradeNos + 1] = ARGV[i] end
fetch(tradeNos)
for _, tradeNo in ipairs(tradeNos) do
  local record = records[tradeNo]
  if record and other_layout(record) then return refuse(tradeNo, record) end
end

-- adopt fills in the content of a payout of which a replay knows only how it ended (protocol E6).
-- The command has the same fingerprint. The payout's merchant stays. Where the decision named
-- none, because payouts of several ended together, it becomes the command's.
local function adopt(tradeNo, record, command, offset)
  local merchant, state, step, expires = merchant_of(record), state_of(record), step_of(record), expires_of(command)
  if merchant == '' and merchant_of(command) ~= '' then
    merchant = merchant_of(command)
    count('', state, -1)
    count(merchant, state, 1)
    note_merchant(merchant)
    if call('ZREM', due_set(step, ''), tradeNo) == 1 then wait_in(due_set(step, merchant), stamp(now), tradeNo) end
  end
  put(tradeNo, splice(record, command, merchant))
  wait_in(open_set(partition, merchant), offset, tradeNo)
  if step ~= 'a' then wait_in(due_set(step, merchant), stamp(now), tradeNo) end
  if state == 'r' and expires > 0 then wait_in(due_set('x'), expires, tradeNo) end
end

local outcomes, added, conflicts = {}, 0, false

local function add(tradeNo, record, due, offset)
  local state, step, merchant, expires = state_of(record), step_of(record), merchant_of(record), expires_of(record)
  put(tradeNo, record)
  wait_in(due_set(step, merchant), due, tradeNo)
  wait_in(open_set(partition, merchant), offset, tradeNo)
  note_merchant(merchant)
  if step == 's' and expires > 0 then wait_in(due_set('x'), expires, tradeNo) end
  count(merchant, state, 1)
  added = added + 1
end

-- sent_by is when a send that a rebuild has learned of had ended at the latest.
local function sent_by() return call('HGET', P .. 'epoch', 'send_by') or stamp(now) end

-- sending answers the record, in the state sending, of a payout that may have been sent. Nobody
-- knows how often. Like a payout after the lease of its send it is asked about and never sent. It counts two sends at least: what the first one was answered
-- isn't known (protocol O4).
local function sending(record, merchant, sent, send_by, account)
  local first, last = command_of(record)
  return LAYOUT .. 'sa' .. sub(record, TOKEN_FROM, SENDS_FROM - 1) .. '02' .. sent .. send_by .. account
    .. NO_FLAGS .. sub(record, PARTITION_FROM, HEAD) .. merchant .. sub(record, first, last) .. FORGOTTEN
end

-- held answers the record of a payout that waits for a person. It was held before the journal was
-- lost, or nobody knows whether it was paid and forgotten. It is asked about and never sent. It counts two
-- sends, the last of which may have ended as late as one that a rebuild has learned of (protocol A7).
local function held(record, merchant, step, account, why)
  local first, last = command_of(record)
  return LAYOUT .. 'h' .. step .. sub(record, TOKEN_FROM, SENDS_FROM - 1) .. '02' .. stamp(0) .. sent_by() .. account .. NO_FLAGS
    .. sub(record, PARTITION_FROM, HEAD) .. merchant .. sub(record, first, last) .. (why or FORGOTTEN)
end

-- why_held is what a replay knows of a remembered hold: its reason, and since when.
local function why_held(tradeNo, memo)
  return held_memo(memo) and call('GET', why_of(tradeNo)) or FORGOTTEN
end

-- hold makes an open payout held whose carried command says that it was held: the journal has
-- lost that. Only the provider's word leads on from held, so this is never a step back.
local function hold(tradeNo, record)
  local state, merchant = state_of(record), merchant_of(record)
  if state ~= 'r' and state ~= 's' and state ~= 'p' then return record end
  leave(set_of(record), tradeNo)
  leave(due_set('s', merchant), tradeNo)
  leave(due_set('x'), tradeNo)
  if step_of(record) == PARKED then count(merchant, PARKED, -1) end
  wait_in(due_set('n'), stamp(now), tradeNo)
  count(merchant, state, -1)
  count(merchant, 'h', 1)
  record = maybe_sent(record, sent_by(), account_of(record))
  local _, said_end = command_of(record)
  -- The token goes: the owner of a lease can't write any more.
  return LAYOUT .. 'hn' .. string.rep('-', TOKEN_TO - TOKEN_FROM + 1) .. stamp(0) .. sub(record, FINGERPRINT_FROM, said_end)
    .. forgetting(sub(record, said_end + 1))
end

-- orphan opens a payout that is only remembered as sent, when another command with its tradeNo
-- comes. Its own command may never come as it was: the merchant's default currency may have
-- changed. It is asked about without content, and announced once its own command comes.
local function orphan(tradeNo, memo)
  local owner, sent = memo_merchant(memo), sub(memo, 18, 30)
  local state = held_memo(memo) and 'h' or 's'
  put(tradeNo, LAYOUT .. state .. 'a' .. string.rep('-', TOKEN_TO - TOKEN_FROM + 1) .. stamp(0) .. sub(memo, 2, 17) .. stamp(0)
    .. '02' .. sent .. sent_by() .. memo_account(memo) .. NO_FLAGS .. NO_PLACE .. owner .. '\n\n{}\n' .. why_held(tradeNo, memo))
  wait_in(due_set('a', owner), stamp(now), tradeNo)
  note_merchant(owner)
  count(owner, state, 1)
  added = added + 1
end

local args = ARGV
for i = 9, #args, 7 do
  local tradeNo, carried, read, due, bucket, offset, record = args[i], args[i + 1], tonumber(args[i + 2]), args[i + 3], args[i + 4], args[i + 5], args[i + 6]
  if due == '' then due = stamp(now) end
  local open = records[tradeNo]
  local memo = not open and recall(bucket, tradeNo)
  if open or memo then
    local fingerprint = sub(record, FINGERPRINT_FROM, FINGERPRINT_TO)
    local same = fingerprint == (open and sub(open, FINGERPRINT_FROM, FINGERPRINT_TO) or sub(memo, 2, 17))
    if memo and same and sent_memo(memo) then
      -- In its own lane: the merchant that it was sent for, whatever the command says now.
      local owner, account = memo_merchant(memo), memo_account(memo)
      if owner == '' then owner = merchant_of(record) end -- it wasn't configured then
      if carried == 'h' then
        add(tradeNo, held(record, owner, 'n', account, why_held(tradeNo, memo)), stamp(now), offset)
      elseif held_memo(memo) then -- and that was announced
        add(tradeNo, held(record, owner, 'a', account, why_held(tradeNo, memo)), stamp(now), offset)
      else
        add(tradeNo, sending(record, owner, sub(memo, 18, 30), sent_by(), account), stamp(now), offset)
      end
    elseif memo and sent_memo(memo) then
      orphan(tradeNo, memo)
    elseif open and same and partition_of(open) == NO_PARTITION then
      if carried == 'h' then open = hold(tradeNo, open) end
      adopt(tradeNo, open, record, offset)
    elseif open and same and carried ~= '' then
      flush() -- it may have come in this very call
      leave(open_set(partition_of(open), merchant_of(open)), tradeNo)
      if carried == 'h' then open = hold(tradeNo, open) end
      -- What its command said stays as it is, also what a newer version has written there.
      put(tradeNo, sub(open, 1, PARTITION_FROM - 1) .. sub(record, PARTITION_FROM, HEAD) .. sub(open, HEAD + 1))
      wait_in(open_set(partition, merchant_of(open)), offset, tradeNo)
    end
    outcomes[#outcomes + 1] = same and 'd' or 'c'
    conflicts = conflicts or not same
  else
    local outcome = 'n'
    if carried == 's' then
      -- It may have been sent before the journal was lost. It is treated as if it were taken over
      -- from a dead worker whose lease ends now.
      record, due = sending(record, merchant_of(record), stamp(now), stamp(now), account_of(record)), stamp(now)
    elseif carried == 'h' then
      record, due = held(record, merchant_of(record), 'n', account_of(record)), stamp(now)
    elseif read < reach then
      -- Unknown, and older than the dedup window reaches (protocol I4): it may have been paid and
      -- forgotten. It is held and asked about, never sent. Nor is it rejected, though it may be
      -- invalid by today's configuration.
      record, outcome, due = held(record, merchant_of(record), 'n', NO_ACCOUNT), 'o', stamp(now)
    elseif state_of(record) == 'R' then
      outcome = 'r'
    end
    add(tradeNo, record, due, offset)
    outcomes[#outcomes + 1] = outcome
  end
end

flush()
write_counts()
local total = added > 0 and call('INCRBY', P .. 'total', added) or tonumber(call('GET', P .. 'total') or '0')
-- A batch that is paused must not stop the intake of others.
for _, parked in ipairs(call('HVALS', P .. 'parked')) do total = total - math.min(tonumber(parked), tonumber(ARGV[7])) end
if to ~= '' and not conflicts and tonumber(to) > position then
  if ARGV[6] == '' then
    call('HSET', P .. 'position', partition, to)
  else
    call('HSET', P .. 'position', partition, to, 'anchor:' .. partition, ARGV[6])
  end
end
return {table.concat(outcomes), total, stamp(now)}
