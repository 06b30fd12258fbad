-- marks answers, for each partition, the read position and the safe mark (protocol I2). The mark
-- is the smallest offset with an open payout, or the position if there is none. One script reads
-- both, because between two reads an insert could come.
-- ARGV: epoch, then partitions.
-- Answer: position and mark by turns, -1 where the partition has no position yet.
local answer = {}
if #ARGV < 2 then return answer end
local merchants = call('SMEMBERS', P .. 'merchants')
local positions = call('HMGET', P .. 'position', unpack(ARGV, 2))
for i = 2, #ARGV do
  local position = tonumber(positions[i - 1] or '-1')
  local mark = position
  for _, merchant in ipairs(merchants) do
    local first = call('ZRANGE', open_set(ARGV[i], merchant), 0, 0, 'WITHSCORES')
    if first[2] and tonumber(first[2]) < mark then mark = tonumber(first[2]) end
  end
  answer[#answer + 1] = format('%.0f', position)
  answer[#answer + 1] = format('%.0f', mark)
end
return answer
