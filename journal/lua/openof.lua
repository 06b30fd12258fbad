-- openof answers the open payouts of a batch, page by page, for a person's action (protocol A10). It goes through the
-- open payouts of each merchant and partition, from the last to the first. So what ends meanwhile is never left out; a
-- payout may come twice. What comes later is not among them.
-- ARGV: epoch, batch, cursor ('' at the beginning), how many payouts to look at. Of a cancel's pass its order among all
-- actions: from the pass' beginning on, whoever hasn't read it inserts nothing. 0 for others.
-- Answer: the next cursor ('' at the end), then tradeNo and record by turns. A cursor is merchant, newline, partition,
-- newline, how many are left there ('' for all).
local batch, budget = ARGV[2], tonumber(ARGV[4])
if ARGV[3] == '' and tonumber(ARGV[5]) > tonumber(epoch[6] or '0') then
  call('HDEL', P .. 'epoch', 'passed') -- so that it may write even at maxmemory: see build
  call('HSET', P .. 'epoch', 'passed', ARGV[5])
end
local merchants, partitions = call('SMEMBERS', P .. 'merchants'), call('HKEYS', P .. 'position')
table.sort(merchants)
table.sort(partitions)

local at_merchant, at_partition, at_left = '', '', ''
if ARGV[3] ~= '' then
  local first = find(ARGV[3], '\n', 1, true)
  local second = find(ARGV[3], '\n', first + 1, true)
  at_merchant, at_partition, at_left = sub(ARGV[3], 1, first - 1), sub(ARGV[3], first + 1, second - 1), sub(ARGV[3], second + 1)
end

local answer = {''}
local function look(merchant, partition, left)
  local set = open_set(partition, merchant)
  left = left or call('ZCARD', set)
  local from = math.max(0, left - budget)
  budget = budget - (left - from)
  if left == from then return from end
  for _, tradeNo in ipairs(call('ZRANGE', set, from, left - 1)) do
    local record = call('GET', P .. 'p:' .. tradeNo)
    if record and not other_layout(record) then
      local first = find(record, '\n', HEAD + 1, true)
      if sub(record, first + 1, find(record, '\n', first + 1, true) - 1) == batch then
        answer[#answer + 1] = tradeNo
        answer[#answer + 1] = record
      end
    end
  end
  return from
end

for _, merchant in ipairs(merchants) do
  if merchant >= at_merchant then
    for _, partition in ipairs(partitions) do
      local here = merchant == at_merchant and partition == at_partition
      if merchant > at_merchant or partition >= at_partition then
        if budget <= 0 then
          answer[1] = merchant .. '\n' .. partition .. '\n' .. (here and at_left or '')
          return answer
        end
        local left = look(merchant, partition, here and tonumber(at_left) or nil)
        if left > 0 then
          answer[1] = merchant .. '\n' .. partition .. '\n' .. left
          return answer
        end
      end
    end
  end
end
return answer
