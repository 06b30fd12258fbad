-- throttle replaces the fleet's throttle, unless another instance changed it since the caller
-- read it. The caller then decides again with the one that it gets as the answer.
-- KEYS: the schedule (for its slot only), the throttle.
-- ARGV: the throttle as the caller saw it ('' = none), the new one, how long to keep it in
-- milliseconds.
-- Answer: now in microseconds, and the throttle as it is.
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
local throttle = redis.call('GET', KEYS[2]) or ''
if throttle ~= ARGV[1] then return {now, throttle} end
redis.call('DEL', KEYS[2]) -- after a write that needs no memory a script may write even at maxmemory
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return {now, ARGV[2]}
