-- counts answers the number of open payouts, in all and by merchant and state. Then, for each
-- given partition and each merchant with open payouts there, the record that has been open for
-- longest. It forgets merchants without open payouts, so that scripts which go through all
-- merchants cost what is open.
-- ARGV: epoch, then partitions.
-- Answer: total, a list of field and count, a list of tradeNo and record.
local counts, open = call('HGETALL', P .. 'count'), {}
for i = 1, #counts, 2 do
  if counts[i + 1] ~= '0' then open[sub(counts[i], 1, -3)] = true end -- the field is the merchant, a newline, the state's letter
end
local merchants, gone, oldest = {}, {}, {}
for _, merchant in ipairs(call('SMEMBERS', P .. 'merchants')) do
  local list = open[merchant] and merchants or gone
  list[#list + 1] = merchant
end
for i = 2, #ARGV do
  for _, merchant in ipairs(merchants) do
    local tradeNo = call('ZRANGE', open_set(ARGV[i], merchant), 0, 0)[1]
    local record = tradeNo and call('GET', P .. 'p:' .. tradeNo)
    if record then
      oldest[#oldest + 1] = tradeNo
      oldest[#oldest + 1] = record
    end
  end
end

-- Only the counts tell that a merchant has nothing open, never its open sets. A payout without content
-- stands in none, and enters one when its command comes. Its merchant must be there then, or the
-- safe mark passes that command (protocol I2). Whoever opens a payout notes its merchant again.
local most = 1000 -- of each at once: with many thousands unpack breaks, and the next call does the rest
local zeros, leaving = {}, {}
for i = 1, math.min(#gone, most) do leaving[i] = gone[i] end
for i = 1, #counts, 2 do
  if #zeros < most and not open[sub(counts[i], 1, -3)] then zeros[#zeros + 1] = counts[i] end
end
if #leaving > 0 then call('SREM', P .. 'merchants', unpack(leaving)) end
if #zeros > 0 then call('HDEL', P .. 'count', unpack(zeros)) end
return {call('GET', P .. 'total') or '0', counts, oldest}
