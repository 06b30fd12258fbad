-- linger answers the payouts that hold back a partition's safe mark: of each merchant those at the
-- smallest offsets.
-- ARGV: epoch, partition, how many of each merchant.
-- Answer: tradeNo and record by turns.
local answer = {}
for _, merchant in ipairs(call('SMEMBERS', P .. 'merchants')) do
  for _, tradeNo in ipairs(call('ZRANGE', open_set(ARGV[2], merchant), 0, tonumber(ARGV[3]) - 1)) do
    local record = call('GET', P .. 'p:' .. tradeNo)
    if record then
      answer[#answer + 1] = tradeNo
      answer[#answer + 1] = record
    end
  end
end
return answer
