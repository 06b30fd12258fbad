-- clock stamps within which bounds this Redis' clock is believed from here on (protocol E11).
-- They are no earlier than it has shown, and no later than an instance's own clock vouches for.
-- ARGV: epoch, the caller's own time in ms, read before the call, and '1' if the caller has seen
-- this clock jump.
-- Answer: '1' if the caller's clock vouches for this one, '0' if this one is too far ahead of it;
-- then the time.
local e = call('HMGET', P .. 'epoch', 'id', 'run_id', 'clock_from', 'clock_until')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER another epoch is open, or none') end
if e[3] and now < tonumber(e[3]) then return redis.error_reply('EPOCHOVER the clock of Redis has gone back') end
local vouches = now - tonumber(ARGV[2]) <= CLOCK_AHEAD
call('HDEL', P .. 'epoch', 'clock_from') -- so that it may write even at maxmemory: see build
call('HSET', P .. 'epoch', 'clock_from', stamp(math.max(now - CLOCK_BACK, tonumber(e[3] or '0'))))
if ARGV[3] == '1' then call('HSET', P .. 'epoch', 'clock_jumped', '1') end
if vouches then call('HSET', P .. 'epoch', 'clock_until', stamp(now + CLOCK_AHEAD)) end
return {vouches and '1' or '0', stamp(now)}
