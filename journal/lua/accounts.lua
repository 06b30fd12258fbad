-- accounts counts a merchant's open payouts of one partition that may have been sent, but not to
-- the given account. It goes page by page from the last to the first, so that what ends
-- meanwhile is never left out; it may count twice.
-- ARGV: epoch, partition, merchant, account, how many are left to look at ('' for all that there
-- are), how many to look at now.
-- Answer: how many are left then, how many were sent to another account, and of how many nobody
-- knows to which.
local set = open_set(ARGV[2], ARGV[3])
local left = tonumber(ARGV[5]) or call('ZCOUNT', set, '-inf', '+inf')
local from = math.max(0, left - tonumber(ARGV[6]))
local others, unknown = 0, 0
if left > 0 then
  for _, tradeNo in ipairs(call('ZRANGE', set, from, left - 1)) do
    local record = call('GET', P .. 'p:' .. tradeNo)
    local open = record and find('rsph', state_of(record), 1, true) and sub(record, SENDS_FROM, SENDS_TO) ~= '00'
    if open and account_of(record) ~= ARGV[4] then
      if account_of(record) == NO_ACCOUNT then unknown = unknown + 1 else others = others + 1 end
    end
  end
end
return {from, others, unknown}
