-- take grants up to n moments at which a call may be made, one interval apart, to one
-- instance of the fleet. The schedule is one number: the next free moment.
-- KEYS: the schedule, the pace. ARGV: interval, n, slack, horizon, all but n in
-- microseconds, and the pace that the interval was made of ('' for none).
-- Answer: now, the first moment, how many, when to ask again if none, and the pace. If
-- that is another one than the caller's, nothing was granted: what one instance has
-- heard of the provider holds for all at once.
--
-- What nobody asked for in time is lost, but for slack: after a pause the schedule
-- begins again at most so far in the past, so there is never a burst beyond it.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, n, slack, horizon = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local pace = redis.call('GET', KEYS[2]) or ''
if pace ~= ARGV[5] then return {string.format('%.0f', now), '0', 0, '0', pace} end

-- A schedule that is missing (first use, wiped Redis), or so far ahead that it was
-- written under another rate or another clock, begins where the last moment may lie that
-- was granted under it: instances still hold these and will use them.
local next = tonumber(redis.call('GET', KEYS[1]) or '')
if not next or next > now + horizon + 10 * interval + 1000000 then next = now + horizon end
if next < now - slack then next = now - slack end

local granted = math.min(n, math.floor((now + horizon - next) / interval) + 1)
if granted <= 0 then
  return {string.format('%.0f', now), '0', 0, string.format('%.0f', next - horizon - now), pace}
end
redis.call('DEL', KEYS[1]) -- after a write that needs no memory a script may write even at maxmemory
redis.call('SET', KEYS[1], string.format('%.3f', next + granted * interval), 'PX', math.ceil((horizon + granted * interval) / 1000) + 60000)
return {string.format('%.0f', now), string.format('%.3f', next), granted, '0', pace}
