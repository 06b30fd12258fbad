-- pace writes what an instance made of the provider's word, unless somebody else has
-- changed it since; the instance then looks again.
-- KEYS: the schedule (for its slot only), the pace. ARGV: the pace as the caller saw it
-- ('' for none), the new one, and for how long it matters in milliseconds.
-- Answer: now in microseconds, and the pace as it is.
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
local throttle = redis.call('GET', KEYS[2]) or ''
if throttle ~= ARGV[1] then return {now, throttle} end
redis.call('DEL', KEYS[2]) -- after a write that needs no memory a script may write even at maxmemory
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return {now, ARGV[2]}
