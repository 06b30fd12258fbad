-- counts answers the number of open payouts, in all and by merchant and state. Then, for each
-- given partition and each merchant with open payouts there, the record that has been open for
-- longest.
-- ARGV: epoch, then partitions.
-- Answer: total, a list of field and count, a list of tradeNo and record.
local oldest = {}
local merchants = call('SMEMBERS', P .. 'merchants')
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
return {call('GET', P .. 'total') or '0', call('HGETALL', P .. 'count'), oldest}
