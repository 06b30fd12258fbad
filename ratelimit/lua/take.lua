-- take grants up to n moments at which a call may be made, one interval apart, to one
-- instance of the fleet. The schedule is one number: the next free moment.
-- KEYS: the schedule, the pace, the queue, the catch-ups, the epoch and server. ARGV: interval, n, slack, ahead,
-- takeAhead, longest, how many may be caught up on, how long the first of the calls has been
-- ready, all but the counts in microseconds, the pace that the interval was made of ('' for none),
-- the number of the journal's epoch (0 if the caller is in none), how long a new one rests, and
-- moments that the caller was granted and didn't use, latest first.
-- Answer: now, the first moment, how many, when to ask again if none, the pace, and how
-- many more were granted at now, to catch up. If the pace is another one than the
-- caller's, nothing was granted: what one instance has heard of the provider holds for
-- all at once.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, n, slack = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ahead, takeAhead, maxQueue = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most, ready = tonumber(ARGV[7]), tonumber(ARGV[8])

local throttle = redis.call('GET', KEYS[2]) or ''
if throttle ~= ARGV[9] then return {string.format('%.0f', now), '0', 0, '0', throttle, 0} end

-- Another server than the one that wrote the schedule, or a new epoch: this Redis may be one
-- half of a split, and on the other one calls that were decided before go on, by the same
-- schedule. So this one rests until they are over. The server tells at once, the epoch
-- also where a server lost what it knew. Who is in an older epoch gets nothing here.
local epoch, server = tonumber(ARGV[10]), string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local known, wrote = string.match(redis.call('GET', KEYS[5]) or '', '^(%d+) (%x*)$')
known = tonumber(known)
if epoch > 0 and known and epoch < known then return {string.format('%.0f', now), '0', 0, '100000', throttle, 0} end

-- A moment that nobody used is caught up on by a call at now, if fewer than most others
-- were since it passed. So at any time at most so many calls of before come after it.
local catches, caught = {}, 0 -- the times of the last ones, latest first
for t in string.gmatch(redis.call('GET', KEYS[4]) or '', '%S+') do catches[#catches + 1] = tonumber(t) end
local function catchup(moment)
  if n <= 0 or most < 1 or moment > now or moment < now - 5000000 then return false end
  if catches[most] and catches[most] >= moment then return false end
  table.insert(catches, 1, now)
  n, caught = n - 1, caught + 1
  return true
end

-- A schedule that is missing (first use, wiped Redis), or so far ahead that it was
-- written under another rate or another clock, begins where the last moment may lie that
-- was granted under it: instances still hold these and will use them. Nor is anything of
-- before caught up on.
local next = tonumber(redis.call('GET', KEYS[1]) or '')
local begins = false
if not next or next > now + takeAhead + 10 * interval + 1000000 + tonumber(ARGV[11]) then
  next, begins, catches = now + takeAhead, true, {}
  for i = 1, most do catches[i] = now end
end
local other = wrote ~= server or epoch > known
if other then
  if wrote and (wrote ~= server or known > 0) then
    next = math.max(next, now + tonumber(ARGV[11]))
    for i = 1, most do catches[i] = now end
  end
  begins = true
end
-- An unused moment behind which none was granted is as good as never granted.
for i = 12, #ARGV do
  local unused = tonumber(ARGV[i])
  if begins then break end -- of before
  if math.abs(next - interval - unused) < 1 then next = unused else catchup(unused) end
end
-- What nobody asked for in time is lost, but for slack and catching up: after a pause the
-- schedule begins again at most so far in the past.
local start = now - slack
if next < start then
  local lost = next + math.floor((start - next) / interval) * interval
  while lost >= next and catchup(lost) do lost = lost - interval end
  next = start
end

local granted = math.max(0, math.min(n, math.floor((now + ahead - next) / interval) + 1))
local again = granted + caught > 0 and 0 or next - ahead - now
if granted > 0 or caught > 0 or begins then
  redis.call('DEL', KEYS[1]) -- after a write that needs no memory a script may write even at maxmemory
  redis.call('SET', KEYS[1], string.format('%.3f', next + granted * interval), 'PX', math.ceil((next - now + takeAhead + granted * interval) / 1000) + 60000)
  if other then redis.call('SET', KEYS[5], string.format('%d %s', math.max(epoch, known or 0), server), 'PX', 86400000) end
end
if caught > 0 or begins and most > 0 then
  for i = 1, #catches do catches[i] = string.format('%.0f', catches[i]) end
  redis.call('SET', KEYS[4], table.concat(catches, ' ', 1, math.min(most, #catches)), 'PX', 60000)
end
-- How long ready calls wait says how many there are; reserve.lua lets fewer come. It
-- fades by itself: the queue is a time until which it counts.
local queue = math.min(ready, maxQueue + interval)
if granted > 0 and queue >= 1000 then redis.call('SET', KEYS[3], string.format('%.0f', now + queue), 'PX', math.ceil(queue / 1000)) end
return {string.format('%.0f', now), string.format('%.3f', next), granted, string.format('%.0f', again), throttle, caught}
