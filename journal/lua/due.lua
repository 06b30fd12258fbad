-- due answers how much there is to do in each lane: how many payouts are due, and when the next
-- one will be.
-- ARGV: epoch, then merchants.
-- Answer: now, then count and next due time ('' if none) for send and ask of each merchant, then
-- for announce and review of all.
local answer = {stamp(now)}
local function look(set)
  answer[#answer + 1] = call('ZCOUNT', set, '-inf', stamp(now))
  local first = call('ZRANGEBYSCORE', set, '(' .. stamp(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  answer[#answer + 1] = first[2] or ''
end
for i = 2, #ARGV do
  look(due_set('s', ARGV[i]))
  look(due_set('a', ARGV[i]))
end
look(due_set('n'))
look(due_set('x'))
return answer
