-- due answers in which lanes something is due, and when something comes due next. It asks the index
-- of lanes, so a look costs what has work, whatever the number of merchants.
-- ARGV: epoch, how many lanes to sweep, their names, and names of lanes to leave out. The bounds of the
-- swept ones are made right, whatever the index says.
-- Answer: now, when the next lane comes due ('' if none does), then name and number of payouts of
-- each lane that is due.
local swept = 2 + tonumber(ARGV[2])
for i = 3, swept do
  local first = call('ZRANGE', P .. 'due:' .. ARGV[i], 0, 0, 'WITHSCORES')
  -- At maxmemory it is refused, and a later sweep does it.
  if first[2] then redis.pcall('ZADD', INDEX, 'LT', first[2], ARGV[i]) end
end

-- What the caller can't work on now is left as it is, and stays in the index.
local left_out = {}
for i = swept + 1, #ARGV do left_out[ARGV[i]] = true end

-- All lanes that are due, without a limit: a lane that nobody can work on must not hide another.
local answer = {stamp(now), ''}
for _, lane in ipairs(call('ZRANGEBYSCORE', INDEX, '-inf', stamp(now))) do
  local set = P .. 'due:' .. lane
  local n = left_out[lane] and -1 or call('ZCOUNT', set, '-inf', stamp(now))
  if n > 0 then
    answer[#answer + 1] = lane
    answer[#answer + 1] = n
  elseif n == 0 then -- the bound was too early
    local first = call('ZRANGE', set, 0, 0, 'WITHSCORES')
    call('ZREM', INDEX, lane) -- takes something away: after it the script may write even at maxmemory
    if first[2] then call('ZADD', INDEX, first[2], lane) end
  end
end
answer[2] = call('ZRANGEBYSCORE', INDEX, '(' .. stamp(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or ''
return answer
