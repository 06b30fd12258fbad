-- restore puts what Kafka knows of payouts into a Redis that lost its latest writes, or all of them
-- (protocol E4 d). It merges by rank and never goes backwards. Every instance that works on
-- the building may call it, but only while the building record stands on the same server.
-- ARGV: id, window, lease in ms (the longest that a send among them may have). Then for each
-- payout: kind, tradeNo, bucket, fingerprint, merchant, state, time, account, progress. The time
-- is in ms. For an end it is when it was seen, or 0 if that isn't known.
-- Kinds:
--  - F: a final that was announced
--  - H: a hold that was announced
--  - S: a decision to send
--  - D: an end by our own word, decided but perhaps not announced
--  - B: the same, by a person's word
--
-- Ranks: F goes before all, a valid D or B before H, H before S. That is sound because nothing leads
-- from held back to sending: only an end follows a hold. They may come in any order, because several
-- instances restore at once.
-- Answer: by how many the open payouts grew.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id', 'claimed_until')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
call('HDEL', P .. 'epoch', 'claimed_until') -- so that it may write even at maxmemory: see build
call('HSET', P .. 'epoch', 'claimed_until', e[3] or '0')

local added = 0

-- Nobody knows when the last send of a decided payout ended. At the latest it is when the longest
-- lease ends that began before now (protocol O4).
local send_by = now + tonumber(ARGV[3])
local known_by = tonumber(call('HGET', P .. 'epoch', 'send_by') or '0')
if send_by > known_by then call('HSET', P .. 'epoch', 'send_by', stamp(send_by)) end

-- own_end tells an end by our own word. It ranks below a decision to send, unless it is VOUCHED.
local function own_end(record) return sub(record, FLAGS_FROM, FLAGS_FROM) ~= NO_FLAG end

-- sent_later notes of a held payout that a send was decided. Its last byte may have left as late as any
-- (protocol A7).
local function sent_later(tradeNo, record, account)
  if sub(record, SENDS_FROM, SENDS_TO) ~= '00' then account = accounts_of(account_of(record), account) end
  call('SET', P .. 'p:' .. tradeNo, maybe_sent(record, stamp(send_by), account))
end

-- announced forgets the record of a payout whose final was announced, and remembers the final.
local function announced(tradeNo, record, bucket, memo, known)
  if record then
    leave_sets(tradeNo, record)
    if partition_of(record) ~= NO_PARTITION then call('ZREM', open_set(partition_of(record), merchant_of(record)), tradeNo) end
    call('DEL', P .. 'p:' .. tradeNo)
    added = added - 1
  end
  if not known or sent_memo(known) then remember(bucket, tradeNo, memo) end
end

-- progress_of answers what has become of a payout.
local function progress_of(record)
  local _, said_end = command_of(record)
  return sub(record, said_end + 1)
end

-- because adds to the progress why a payout is held, and since when. Neither stands there before.
local function because(record, why)
  local progress = progress_of(record)
  if progress == '{}' then return why end
  return sub(progress, 1, -2) .. ',' .. sub(why, 2)
end

-- decided makes a payout sending that was decided to be sent: it is asked about, as after a lease of
-- a send. A payout of which this Redis knows nothing else is only remembered. Its command is read
-- again and finds it: the safe mark stays behind open payouts (protocol E6).
local function decided(tradeNo, record, bucket, memo, fingerprint, merchant, sent, account)
  if not record then
    if not memo then
      remember(bucket, tradeNo, memo_of_send(fingerprint, sent, account, merchant))
    elseif not held_memo(memo) then
      local all = accounts_of(memo_account(memo), account)
      if all ~= memo_account(memo) then remember(bucket, tradeNo, memo_of_send(sub(memo, 2, 17), tonumber(sub(memo, 18, 30)), all, memo_merchant(memo))) end
    end
    return
  end
  local state = state_of(record)
  if doubtful(record) then
    return reopen(tradeNo, record, send_by, 'n', to_look_at())
  end
  if state == 'h' then return sent_later(tradeNo, record, account) end
  if not (state == 'r' or state == 's' or own_end(record)) or token_of(record) == VOUCHED then return end
  -- What only the first send was answered is no longer known: never fewer than two sends.
  local sends = math.min(99, tonumber(sub(record, SENDS_FROM, SENDS_TO)) + 1)
  if sends > 1 then account = accounts_of(account_of(record), account) end
  local progress = FORGOTTEN
  if state == 's' then progress = forgetting(progress_of(record)) end
  leave_sets(tradeNo, record)
  write(tradeNo, record, LAYOUT .. 'sa' .. NO_TOKEN .. stamp(0) .. sub(record, FINGERPRINT_FROM, EXPIRES_TO) .. format('%02d', sends)
    .. stamp(sent) .. stamp(send_by) .. account .. NO_FLAG, progress)
end

-- held makes a payout held whose hold was announced; it is asked about at once. Like a send it is
-- only remembered where this Redis knows nothing else.
local function held(tradeNo, record, bucket, memo, fingerprint, merchant, why)
  if not record then
    call('SET', why_of(tradeNo), why, 'PX', window + math.floor(window / 3))
    if not memo or not held_memo(memo) then remember(bucket, tradeNo, memo_of_send(fingerprint, 0, memo and memo_account(memo) or NO_ACCOUNT, merchant)) end
    return
  end
  if own_end(record) and token_of(record) ~= VOUCHED then return reopen(tradeNo, record, send_by, 'a', why) end
  local state = state_of(record)
  if state ~= 'r' and state ~= 's' and state ~= 'p' then return end
  leave_sets(tradeNo, record)
  record = maybe_sent(record, stamp(send_by), account_of(record))
  write(tradeNo, record, LAYOUT .. 'ha' .. NO_TOKEN .. stamp(0), because(record, why))
end

-- ended makes a payout end by our own word, or a person's, as was decided. It is announced (again). What the
-- provider itself has said of its end stays.
local function ended(tradeNo, record, fingerprint, merchant, state, progress, flag)
  if not record then
    local head = LAYOUT .. state .. 'n' .. VOUCHED .. stamp(0) .. fingerprint .. stamp(0) .. '00' .. stamp(0) .. stamp(0)
      .. NO_ACCOUNT .. flag .. sub(NO_FLAGS, 2)
    call('SADD', P .. 'merchants', merchant)
    write(tradeNo, head .. NO_PLACE .. merchant .. '\n\n{}\n' .. progress, head, nil)
    added = added + 1
    return
  end
  if find('PQF', state_of(record), 1, true) and not own_end(record) then return end
  leave_sets(tradeNo, record)
  write(tradeNo, record, LAYOUT .. state .. 'n' .. VOUCHED .. stamp(0) .. sub(record, FINGERPRINT_FROM, FLAGS_FROM - 1) .. flag, progress)
end

-- forgotten tells that a payout ended before the dedup window: a journal that was never lost would
-- have forgotten it too. Sends and holds count at any age. They only stop a payout from being
-- sent, and a wrong clock of their writer must not let it be sent.
local function forgotten(ended_at) return ended_at > 0 and ended_at < now - window end

local settled = {} -- by merchant: a settled payout to ask about before a "no record" is believed
for i = 4, #ARGV, 9 do
  local kind, tradeNo, bucket, fingerprint, merchant, state = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local record = call('GET', P .. 'p:' .. tradeNo)
  local memo = recall(bucket, tradeNo)
  if record and other_layout(record) then
    write_counts()
    call('INCRBY', P .. 'total', added)
    return refuse(tradeNo, record)
  end
  if (kind == 'F' or kind == 'D' or kind == 'B') and forgotten(tonumber(ARGV[i + 6])) then -- as if it weren't there
  elseif kind == 'F' then
    announced(tradeNo, record, bucket, state .. fingerprint, memo)
    -- Only what the provider has: of what failed it may have no record.
    if merchant ~= '' and (state == 'P' or state == 'Q') then settled[merchant] = tradeNo end
  elseif memo and not sent_memo(memo) then -- ended and announced: nothing below it counts
  elseif kind == 'H' then
    held(tradeNo, record, bucket, memo, fingerprint, merchant, ARGV[i + 8])
  elseif kind == 'S' then
    decided(tradeNo, record, bucket, memo, fingerprint, merchant, tonumber(ARGV[i + 6]), ARGV[i + 7])
  else
    ended(tradeNo, record, fingerprint, merchant, state, ARGV[i + 8], kind == 'B' and PERSONS_END or OWN_END)
  end
end
write_counts()
for merchant, tradeNo in pairs(settled) do call('HSET', P .. 'served:' .. merchant, 'settled', tradeNo) end
call('INCRBY', P .. 'total', added)
return added
