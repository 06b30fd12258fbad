-- insert makes commands known, once each, and moves the read position.
-- ARGV: epoch, partition, from, to ('' while the range goes on in a later call),
-- window, then for each payout: tradeNo, record time, due, bucket, offset, record.
-- Answer: outcomes, one letter each (n new, r rejected, o held because old, d duplicate,
-- c conflict), and the number of open payouts.
--
-- Refused when the range begins past the read position (protocol I1): a consumer that
-- retries an old batch must not jump over what a new epoch has to read again.
-- Not moved while there are conflicts in the range: the caller publishes these as dead
-- letters first, and then calls again with the range alone.
local partition, window = ARGV[2], tonumber(ARGV[5])
local position = tonumber(redis.call('HGET', P .. 'position', partition) or '-1')
if position < 0 then return redis.error_reply('POSITION none for partition ' .. partition) end
if tonumber(ARGV[3]) > position then
  return redis.error_reply('POSITION ' .. string.format('%.0f', position) .. ' is before the range that begins at ' .. ARGV[3])
end

local generations = {}
local newest = generation(window)
for gen = newest, newest - 3, -1 do
  if redis.call('EXISTS', P .. 'gen:' .. string.format('%.0f', gen)) == 1 then
    generations[#generations + 1] = gen
  end
end

-- known tells the fingerprint under which a tradeNo is known, open or remembered.
local function known(tradeNo, bucket)
  local record = redis.call('GETRANGE', P .. 'p:' .. tradeNo, FINGERPRINT_FROM - 1, FINGERPRINT_TO - 1)
  if record ~= '' then return record end
  for _, gen in ipairs(generations) do
    local memo = redis.call('HGET', memory(gen, bucket), tradeNo)
    if memo then return string.sub(memo, 2) end
  end
  return nil
end

local outcomes, added, conflicts = {}, 0, false
for i = 6, #ARGV, 6 do
  local tradeNo, read, due, bucket, offset, record = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local before = known(tradeNo, bucket)
  if before then
    local same = before == string.sub(record, FINGERPRINT_FROM, FINGERPRINT_TO)
    outcomes[#outcomes + 1] = same and 'd' or 'c'
    conflicts = conflicts or not same
  else
    local state, step, outcome = state_of(record), step_of(record), 'n'
    if state == 'R' then
      outcome = 'r'
    elseif read < now - window then
      -- Unknown and older than the memory reaches (protocol I4): it may have been paid
      -- and forgotten. Held and asked, never sent.
      state, step, outcome, due = 'h', 'n', 'o', stamp(now)
      record = state .. step .. string.sub(record, TOKEN_FROM)
    end
    local merchant, expires = merchant_of(record), expires_of(record)
    redis.call('SET', P .. 'p:' .. tradeNo, record)
    redis.call('ZADD', due_set(step, merchant), due, tradeNo)
    redis.call('ZADD', open_set(partition, merchant), offset, tradeNo)
    redis.call('SADD', P .. 'merchants', merchant)
    if step == 's' and expires > 0 then redis.call('ZADD', due_set('x'), expires, tradeNo) end
    count(merchant, state, 1)
    added = added + 1
    outcomes[#outcomes + 1] = outcome
  end
end

write_counts()
local total = redis.call('INCRBY', P .. 'total', added)
if ARGV[4] ~= '' and not conflicts and tonumber(ARGV[4]) > position then
  redis.call('HSET', P .. 'position', partition, ARGV[4])
end
return {table.concat(outcomes), total}
