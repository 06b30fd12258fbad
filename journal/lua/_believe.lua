-- _believe ends a script unless the open epoch and the server are those that the caller
-- believes in (protocol E2). A wiped, restarted, promoted or foreign Redis is refused. So is
-- one whose clock is outside of the bounds that the keepers have stamped (protocol E11).
-- The last two fields are for insert.
local epoch = call('HMGET', P .. 'epoch', 'id', 'run_id', 'clock_from', 'clock_until', 'reach', 'passed')
if not epoch[1] then return redis.error_reply('EPOCHGONE no epoch is open: the journal is new, wiped, or being rebuilt') end
if epoch[1] ~= ARGV[1] then return redis.error_reply('EPOCHOVER another epoch is open: ' .. epoch[1]) end
if epoch[2] ~= run_id() then return redis.error_reply('EPOCHOVER the server is not the one the epoch was opened on') end
if epoch[3] and now < tonumber(epoch[3]) then
  return redis.error_reply('EPOCHOVER the clock of Redis has gone back: it shows ' .. stamp(now) .. ' ms, and has shown ' .. stamp(tonumber(epoch[3]) + CLOCK_BACK))
end
if epoch[4] and now > tonumber(epoch[4]) then
  -- It is noted that the clock was there: finals may have expired meanwhile.
  redis.pcall('HDEL', P .. 'epoch', 'clock_from') -- after it Redis lets it write at maxmemory too
  redis.pcall('HSET', P .. 'epoch', 'clock_from', stamp(now - CLOCK_BACK))
  return redis.error_reply('EPOCHOVER the clock of Redis shows ' .. stamp(now) .. " ms, and no instance's clock has vouched for it since " .. stamp(tonumber(epoch[4]) - CLOCK_AHEAD))
end
