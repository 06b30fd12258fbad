-- reserve permits an instance to make up to n calls ready. A ready call requests its moment from
-- take.lua. So the fleet leases no more than it can call soon. It doesn't keep the rate: take.lua
-- does.
-- KEYS: the reservations, the throttle, the queue, the schedule.
-- ARGV, times in microseconds:
-- - 1 interval, 2 n, 3 longest time in the queue
-- - 4 the throttle that the interval was computed from ('' = none)
-- - 5 least: if fewer can be made ready, none is.
-- Answer: as take.lua's.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, n, maxQueue, least = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])

local stored = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local throttle = stored[2] or ''
if throttle ~= ARGV[4] then return {string.format('%.0f', now), '0', 0, '0', throttle} end

-- While the schedule pauses (a new epoch) nothing is made ready. It would wait for its moment
-- until its lease has no time left for the call.
local scheduled = tonumber(stored[4] or '') or now
if scheduled > now + maxQueue + interval and scheduled < now + maxQueue + 10 * interval + 2000000 then
  return {string.format('%.0f', now), '0', 0, string.format('%.0f', scheduled - maxQueue - interval - now), throttle}
end

-- The longer calls already wait, the fewer are made ready; none if they wait for the longest time
-- allowed. take.lua never writes a longer wait: such a value was written under another clock.
local queue = math.max(0, (tonumber(stored[3] or '') or 0) - now)
if queue > maxQueue + interval then queue = 0 end
local room = math.max(0, maxQueue - queue)

-- Reservations that no instance took in time are added, as far as there is room. If the
-- instances stood still, the queue is empty and must be filled again.
local next = tonumber(stored[1] or '')
if not next or next > now + maxQueue + 10 * interval + 1000000 then next = now end
if next < now - room then next = now - room end

local granted = math.min(n, math.floor((now + maxQueue - queue - next) / interval) + 1)
if granted < least then
  return {string.format('%.0f', now), '0', 0, string.format('%.0f', next + (least - 1) * interval + queue - maxQueue - now), throttle}
end
redis.call('DEL', KEYS[1]) -- after a write that needs no memory a script may write even at maxmemory
redis.call('SET', KEYS[1], string.format('%.3f', next + granted * interval), 'PX', math.ceil((maxQueue + granted * interval) / 1000) + 60000)
return {string.format('%.0f', now), string.format('%.3f', next), granted, '0', throttle}
