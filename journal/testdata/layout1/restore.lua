-- restore puts into a Redis that lost its tail, or everything, what Kafka knows of
-- payouts, merged by rank and never backwards (protocol E4 d). Only the builder of an
-- epoch may call it, and only while its building record stands on the same server.
-- ARGV: id, window, lease in ms, then for each payout: kind, tradeNo, bucket,
-- fingerprint, merchant, state, time in ms, progress. The lease is the longest that a
-- send among them may have. Kinds: F a final that was announced; H a hold that was
-- announced; S a decision to send; D an end by our own word, decided but perhaps not
-- announced. A final that was announced outranks all, a hold outranks a send (only a final
-- ever follows it), a valid own end outranks a send, in whatever order they come: several
-- instances restore at once.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id', 'claimed_until')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
call('HDEL', P .. 'epoch', 'claimed_until') -- so that it may write even at maxmemory: see build
call('HSET', P .. 'epoch', 'claimed_until', e[3] or '0')

local NO_TOKEN = string.rep('-', TOKEN_TO - TOKEN_FROM + 1)
-- Stands where the log of this building vouches for an own end. Tokens never contain '='.
local VOUCHED = '=' .. sub(ARGV[1] .. NO_TOKEN, 1, TOKEN_TO - TOKEN_FROM)
local added = 0

-- Nobody knows when the last send of a decided payout ended: at the latest when the
-- longest lease that began before now does (protocol O4).
local send_by = now + tonumber(ARGV[3])
local known_by = tonumber(call('HGET', P .. 'epoch', 'send_by') or '0')
if send_by > known_by then call('HSET', P .. 'epoch', 'send_by', stamp(send_by)) end

local function leave_sets(tradeNo, record)
  local merchant = merchant_of(record)
  call('ZREM', due_set(step_of(record), merchant), tradeNo)
  call('ZREM', due_set('s', merchant), tradeNo)
  call('ZREM', due_set('x'), tradeNo)
  count(merchant, state_of(record), -1)
end

-- write puts a record with a new head and, unless it is nil, new progress.
local function write(tradeNo, record, head, progress)
  if progress then
    local m = find(record, '\n', HEAD + 1, true)
    local c = find(record, '\n', m + 1, true)
    record = sub(record, 1, c) .. progress
  end
  record = head .. sub(record, #head + 1)
  call('SET', P .. 'p:' .. tradeNo, record)
  local step = step_of(record)
  if step ~= 'n' or partition_of(record) ~= NO_PARTITION then
    call('ZADD', due_set(step, merchant_of(record)), stamp(now), tradeNo)
  end
  count(merchant_of(record), state_of(record), 1)
end

-- An end by our own word ranks below a decision to send, unless the log vouches for it.
local function own_end(record)
  local state = state_of(record)
  return state == 'R' or (state == 'F' and find(record, '"ab":true', HEAD, true) ~= nil)
end

local function announced(tradeNo, record, bucket, memo, known)
  if record then
    leave_sets(tradeNo, record)
    if partition_of(record) ~= NO_PARTITION then call('ZREM', open_set(partition_of(record), merchant_of(record)), tradeNo) end
    call('DEL', P .. 'p:' .. tradeNo)
    added = added - 1
  end
  if not known or sent_memo(known) then remember(bucket, tradeNo, memo) end
end

-- A send of which this Redis knows nothing else is only remembered: its command, which
-- the safe mark has held back, will be read again and finds it (protocol E6).
local function decided(tradeNo, record, bucket, memo, fingerprint, merchant, sent)
  if not record then
    if not memo then remember(bucket, tradeNo, memo_of_send(fingerprint, sent, merchant)) end
    return
  end
  local state = state_of(record)
  if not (state == 'r' or state == 's' or own_end(record)) or token_of(record) == VOUCHED then return end
  -- What only the first send was answered is no longer known: never fewer than two sends.
  local sends = math.min(99, tonumber(sub(record, SENDS_FROM, SENDS_TO)) + 1)
  local progress = nil
  if state ~= 's' then progress = '{}' end
  leave_sets(tradeNo, record)
  write(tradeNo, record, 'sa' .. NO_TOKEN .. stamp(0) .. sub(record, FINGERPRINT_FROM, EXPIRES_TO) .. format('%02d', sends) .. stamp(sent) .. stamp(send_by), progress)
end

-- A hold was announced: it is asked about at once. Like a send it is only remembered where
-- this Redis knows nothing else.
local function held(tradeNo, record, bucket, memo, fingerprint, merchant)
  if not record then
    if not memo or not held_memo(memo) then remember(bucket, tradeNo, memo_of_send(fingerprint, 0, merchant)) end
    return
  end
  local state = state_of(record)
  if state ~= 'r' and state ~= 's' and state ~= 'p' then return end
  leave_sets(tradeNo, record)
  write(tradeNo, record, 'ha' .. NO_TOKEN .. stamp(0), nil)
end

local function ended(tradeNo, record, fingerprint, merchant, state, progress)
  if not record then
    local head = state .. 'n' .. VOUCHED .. stamp(0) .. fingerprint .. stamp(0) .. '00' .. stamp(0) .. stamp(0)
    call('SADD', P .. 'merchants', merchant)
    write(tradeNo, head .. format('%06d', NO_PARTITION) .. merchant .. '\n{}\n' .. progress, head, nil)
    added = added + 1
    return
  end
  if not (state_of(record) == 'r' or state_of(record) == 's' or own_end(record)) then return end
  leave_sets(tradeNo, record)
  write(tradeNo, record, state .. 'n' .. VOUCHED .. stamp(0) .. sub(record, FINGERPRINT_FROM, SENDS_FROM - 1), progress)
end

local witnesses = {} -- by merchant: somebody to ask about where absence must be believed
for i = 4, #ARGV, 8 do
  local kind, tradeNo, bucket, fingerprint, merchant, state = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local record = call('GET', P .. 'p:' .. tradeNo)
  local memo = recall(bucket, tradeNo)
  if kind == 'F' then
    announced(tradeNo, record, bucket, state .. fingerprint, memo)
    -- Only what the provider has: of what failed it may have no record.
    if merchant ~= '' and (state == 'P' or state == 'Q') then witnesses[merchant] = tradeNo end
  elseif memo and not sent_memo(memo) then -- ended and announced: nothing below it counts
  elseif kind == 'H' then
    held(tradeNo, record, bucket, memo, fingerprint, merchant)
  elseif kind == 'S' then
    decided(tradeNo, record, bucket, memo, fingerprint, merchant, tonumber(ARGV[i + 6]))
  elseif not memo or not held_memo(memo) then
    ended(tradeNo, record, fingerprint, merchant, state, ARGV[i + 7])
  end
end
write_counts()
for merchant, tradeNo in pairs(witnesses) do call('HSET', P .. 'served:' .. merchant, 'settled', tradeNo) end
call('INCRBY', P .. 'total', added)
return added
