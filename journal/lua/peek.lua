-- peek answers payouts without leasing them (protocol A4): those of a merchant that are due to be sent, or parked ones
-- of a batch. The first ones may be left out, which the caller has looked at before.
-- ARGV: epoch, merchant, batch ('' for those that are due), how many to leave out, how many at most.
-- Answer: tradeNo and batch of each, by turns; of parked ones tradeNos alone.
local without, n = tonumber(ARGV[4]), tonumber(ARGV[5])
if ARGV[3] ~= '' then return call('ZRANGE', parked_set(ARGV[3]), without, without + n - 1) end
local answer = {}
local due = call('ZRANGEBYSCORE', due_set('s', ARGV[2]), '-inf', stamp(now), 'LIMIT', without, n)
if #due == 0 then return answer end
fetch(due)
for i, tradeNo in ipairs(due) do
  local record = records[tradeNo]
  answer[2 * i - 1] = tradeNo
  answer[2 * i] = record and not other_layout(record) and sub(batch_of(record), #merchant_of(record) + 2) or ''
end
return answer
