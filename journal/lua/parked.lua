-- parked answers the batches of which payouts are parked, page by page, and how many. It forgets those of which none
-- is left.
-- ARGV: epoch, the last batch of the page before ('' for the first page), how many at most.
-- Answer: merchant, newline and batch, then the number, by turns.
local answer = {}
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
for _, batch in ipairs(call('ZRANGEBYLEX', PARKED_SETS, from, '+', 'LIMIT', 0, ARGV[3])) do
  local n = call('ZCARD', parked_set(batch))
  if n == 0 then call('ZREM', PARKED_SETS, batch) end
  answer[#answer + 1] = batch
  answer[#answer + 1] = n
end
return answer
