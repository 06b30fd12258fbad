-- carry makes the effect of an action on one leased payout (protocol A5). The same script checks that the caller
-- still has the action, and that it isn't too late. It checks too that the payout is as it was leased. Nothing checks
-- the deadline after it.
-- ARGV: epoch, id, the action's token, tradeNo, the lease's token, expected state, due, head, progress.
-- Answer: one of these letters.
--  - a: carried out, also if this caller had done it before
--  - l: the payout is somebody else's
--  - t: the action is somebody else's, or it is too late
local token, tradeNo, leased, expected, due, head, progress = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local record = call('GET', P .. 'p:' .. tradeNo)
if record and act_made and act_token == token and token_of(record) == leased and state_of(record) == state_of(head) then return 'a' end
if not holds(token) or act_made or not may_begin() then return 't' end
if not record or other_layout(record) or token_of(record) ~= leased or state_of(record) ~= expected or lease_end_of(record) == 0 then return 'l' end
local merchant_end, said_end = command_of(record)
local merchant = sub(record, HEAD + 1, merchant_end - 1)
call('ZREM', due_set(step_of(record), merchant), tradeNo) -- first: see flush
call('ZREM', due_set('x'), tradeNo)
call('SET', P .. 'p:' .. tradeNo, sub(head, 1, EXPIRES_FROM - 1) .. sub(record, EXPIRES_FROM, EXPIRES_TO) .. sub(head, SENDS_FROM, FLAGS_FROM)
  .. sub(record, FLAGS_FROM + 1, said_end) .. progress)
local step = step_of(head)
if step == 'a' or partition_of(record) ~= NO_PARTITION then -- without content nothing can be announced
  local set = due_set(step, merchant)
  call('ZADD', set, due, tradeNo)
  call('ZADD', INDEX, 'LT', due, lanes[set])
end
turn(merchant, expected, state_of(head))
write_counts()
call('HSET', ACT, 'made', '1', 'of', tradeNo)
if sub(head, FLAGS_FROM, FLAGS_FROM) == PERSONS_END then call('HSET', UNDECIDED, tradeNo, ARGV[2]) end
return 'a'
