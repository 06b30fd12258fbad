-- reserve lets an instance make ready up to n calls, which will ask take.lua for their
-- moments once they are. It keeps the fleet from leasing more than it can call soon, and
-- promises nothing to the provider: the rate is take.lua's to keep.
-- KEYS: the reservations, the pace, the queue, the schedule. ARGV: interval, n, longest, all but n in
-- microseconds, and the pace that the interval was made of ('' for none).
-- Answer: as take.lua's.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, n, maxQueue = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local throttle = redis.call('GET', KEYS[2]) or ''
if throttle ~= ARGV[4] then return {string.format('%.0f', now), '0', 0, '0', throttle} end

-- While the schedule rests (a new epoch) nothing is made ready: it would wait for its moment
-- until its lease has no time left for the call.
local scheduled = tonumber(redis.call('GET', KEYS[4]) or '') or now
if scheduled > now + maxQueue + interval and scheduled < now + maxQueue + 10 * interval + 2000000 then
  return {string.format('%.0f', now), '0', 0, string.format('%.0f', scheduled - maxQueue - interval - now), throttle}
end

-- Where calls already wait, so much less is made ready, and nothing where they wait for
-- the longest that they may. A longer wait than take.lua writes is another clock's.
local queue = math.max(0, (tonumber(redis.call('GET', KEYS[3]) or '') or 0) - now)
if queue > maxQueue + interval then queue = 0 end
local room = math.max(0, maxQueue - queue)

-- What nobody reserved in time comes on top, as far as there is room: a machine that
-- stood still has emptied the queue.
local next = tonumber(redis.call('GET', KEYS[1]) or '')
if not next or next > now + maxQueue + 10 * interval + 1000000 then next = now end
if next < now - room then next = now - room end

local granted = math.min(n, math.floor((now + maxQueue - queue - next) / interval) + 1)
if granted <= 0 then
  return {string.format('%.0f', now), '0', 0, string.format('%.0f', next + queue - maxQueue - now), throttle}
end
redis.call('DEL', KEYS[1]) -- after a write that needs no memory a script may write even at maxmemory
redis.call('SET', KEYS[1], string.format('%.3f', next + granted * interval), 'PX', math.ceil((maxQueue + granted * interval) / 1000) + 60000)
return {string.format('%.0f', now), string.format('%.3f', next), granted, '0', throttle}
