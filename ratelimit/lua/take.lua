-- take grants up to n moments for calls, one interval apart, to one instance of the fleet. The
-- schedule is one number: the next free moment.
-- KEYS: the schedule, the throttle, the queue, the catch-ups, the epoch and server.
-- ARGV, times in microseconds:
-- - 1 interval, 2 n, 3 slack
-- - 4 how far ahead moments may be; below 0: how old they must be
-- - 5 how far ahead those of others may be, 6 longest time in the queue
-- - 7 most catch-ups, 8 how long the caller's calls wait
-- - 9 the throttle that the interval was computed from ('' = none)
-- - 10 the number of the journal's epoch (0 = none), 11 the pause in a new epoch
-- - 12 and more: moments that the caller gives back, latest first.
-- Answer: now, the first moment, how many, when to ask again if none, the throttle, and how many
-- catch-ups were granted besides, at now. If the throttle is not the caller's, nothing is
-- granted: what one instance heard from the provider holds for all at once.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, n, slack = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ahead, lostAhead, maxQueue = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most, queue = tonumber(ARGV[7]), tonumber(ARGV[8])

local stored = redis.call('MGET', KEYS[1], KEYS[2], KEYS[4], KEYS[5]) -- one command instead of four
local throttle = stored[2] or ''
if throttle ~= ARGV[9] then return {string.format('%.0f', now), '0', 0, '0', throttle, 0} end

-- Another server than the one that wrote the schedule, or a new epoch, may mean a split of Redis.
-- Calls that were decided before go on by the same schedule on the other half. So this half
-- pauses until they are over. The server's id shows a split at once; the epoch also shows it if
-- the server lost its data. A caller in an older epoch gets nothing.
local info = redis.call('INFO', 'server')
local _, name = string.find(info, 'run_id:', 1, true) -- no pattern: that would take longer than INFO
local epoch, server = tonumber(ARGV[10]), name and string.match(info, '^%x+', name + 1) or ''
local known, wrote = string.match(stored[4] or '', '^(%d+) (%x*)$')
known = tonumber(known)
if epoch > 0 and known and epoch < known then return {string.format('%.0f', now), '0', 0, '100000', throttle, 0} end

-- catchup grants a call at now for a past moment that nobody used. It does so only if fewer than
-- `most` catch-ups were granted since that moment. So at any time at most `most` calls of earlier
-- moments come later.
local catches, caught = {}, 0 -- the times of the last catch-ups, latest first
for t in string.gmatch(stored[3] or '', '%S+') do catches[#catches + 1] = tonumber(t) end
local function catchup(moment)
  if n <= 0 or most < 1 or moment > now or moment < now - 5000000 then return false end
  if catches[most] and catches[most] >= moment then return false end
  table.insert(catches, 1, now)
  n, caught = n - 1, caught + 1
  return true
end

-- A schedule that is missing (first use, wiped Redis) begins anew, lostAhead from now. So does one
-- that lies so far ahead that another rate or another clock wrote it. Instances still have moments
-- of the old schedule, at most lostAhead from now, and will use them. Nothing from before is caught
-- up on.
local text = stored[1] or ''
local next, begins = tonumber(text), false
if not next or next > now + lostAhead + 10 * interval + 1000000 + tonumber(ARGV[11]) then
  next, begins, catches = now + lostAhead, true, {}
  for i = 1, most do catches[i] = now end
end

-- Instances of version 0.1 begin a missing schedule 100 ms from now. Beside them no moment may be
-- further ahead. They write three decimals. Behind these the others write since when, in seconds,
-- they are among themselves: none of version 0.1 has written in between.
local alone = math.min(tonumber(string.match(text, '%.%d%d%d(%d+)$') or '') or now / 1000000, now / 1000000)
if begins then alone = now / 1000000 end
if now / 1000000 - alone < 10 then ahead = math.min(ahead, 100000) end

local other = wrote ~= server or epoch > known
if other then
  if wrote and (wrote ~= server or known > 0) then
    next = math.max(next, now + tonumber(ARGV[11]))
    for i = 1, most do catches[i] = now end
  end
  begins = true
end
-- An unused moment is granted again if no later one was granted.
for i = 12, #ARGV do
  local unused = tonumber(ARGV[i])
  if begins then break end -- they belong to the old schedule
  if math.abs(next - interval - unused) < 1 then next = unused else catchup(unused) end
end
-- Moments that nobody requested in time are lost, except within the slack and for catch-ups. So
-- after a pause the schedule goes on at most `slack` in the past.
-- Behind a moment that is caught up on the next one comes an interval later. Else whoever asks seldom is granted more than the
-- rate: a catch-up and a shorter interval each time.
local start = now - slack
if next < start then
  local latest = next + math.floor((start - next) / interval) * interval
  local lost = latest
  while lost >= next and catchup(lost) do lost = lost - interval end
  next = lost < latest and latest + interval or start
end

local granted = math.max(0, math.min(n, math.floor((now + ahead - next) / interval) + 1))
local again = granted + caught > 0 and 0 or next - ahead - now
if granted > 0 or caught > 0 or begins then
  redis.call('DEL', KEYS[1]) -- after a write that needs no memory a script may write even at maxmemory
  redis.call('SET', KEYS[1], string.format('%.3f%010.0f', next + granted * interval, math.floor(alone)), 'PX', math.ceil((next - now + granted * interval) / 1000) + 86400000)
  if other then redis.call('SET', KEYS[5], string.format('%d %s', math.max(epoch, known or 0), server), 'PX', 86400000) end
end
if caught > 0 or begins and most > 0 then
  for i = 1, #catches do catches[i] = string.format('%.0f', catches[i]) end
  redis.call('SET', KEYS[4], table.concat(catches, ' ', 1, math.min(most, #catches)), 'PX', 60000)
end
-- Store how long ready calls wait: reserve.lua then permits fewer. The value is the time until
-- which they wait, so it decreases by itself.
queue = math.min(queue, maxQueue + interval)
if granted > 0 and queue >= 1000 then redis.call('SET', KEYS[3], string.format('%.0f', now + queue), 'PX', math.ceil(queue / 1000)) end
return {string.format('%.0f', now), string.format('%.3f', next), granted, string.format('%.0f', again), throttle, caught}
