-- _restore is what the scripts of a rebuild share: they put payouts back into their lanes. ARGV[1] is the id of the
-- building.
local NO_TOKEN = string.rep('-', TOKEN_TO - TOKEN_FROM + 1)
-- VOUCHED stands in the token's place where a decision that counts vouches for an own end. Tokens
-- never contain '='.
local VOUCHED = '=' .. sub(ARGV[1] .. NO_TOKEN, 1, TOKEN_TO - TOKEN_FROM)

local function leave_sets(tradeNo, record)
  local merchant = merchant_of(record)
  call('ZREM', set_of(record), tradeNo)
  call('ZREM', due_set('s', merchant), tradeNo)
  call('ZREM', due_set('x'), tradeNo)
  count(merchant, state_of(record), -1)
  if step_of(record) == PARKED then count(merchant, PARKED, -1) end
end

-- wait lets a payout wait from now on. One lower bound of a lane is enough for the call.
local bounded = {}
local function wait(set, tradeNo)
  call('ZADD', set, stamp(now), tradeNo)
  if not bounded[set] then call('ZADD', INDEX, 'LT', stamp(now), lanes[set]) end
  bounded[set] = true
end

-- write puts a record with a new head and, unless it is nil, new progress.
local function write(tradeNo, record, head, progress)
  if progress then
    local _, said_end = command_of(record)
    record = sub(record, 1, said_end) .. progress
  end
  record = head .. sub(record, #head + 1)
  call('SET', P .. 'p:' .. tradeNo, record)
  local step = step_of(record)
  if step ~= 'n' or partition_of(record) ~= NO_PARTITION then
    wait(due_set(step, merchant_of(record)), tradeNo)
  end
  count(merchant_of(record), state_of(record), 1)
end

-- doubtful tells an end by a person's word for which no decision vouches. What the log says of a send or
-- a hold makes it held again: as sending it could be sent once more (protocol A6).
local function doubtful(record)
  return sub(record, FLAGS_FROM, FLAGS_FROM) == PERSONS_END and token_of(record) ~= VOUCHED
end
local function to_look_at()
  return '{"fo":true,"h":' .. format('%.0f', now) .. ',"y":"a person had ended it, and the journal was lost or restarted before that was certain: look again"}'
end
local function reopen(tradeNo, record, send_by, step, progress)
  leave_sets(tradeNo, record)
  record = maybe_sent(record, stamp(send_by), account_of(record))
  record = sub(record, 1, FLAGS_FROM - 1) .. NO_FLAG .. sub(record, FLAGS_FROM + 1)
  write(tradeNo, record, LAYOUT .. 'h' .. step .. NO_TOKEN .. stamp(0), progress)
end
