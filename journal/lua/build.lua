-- build writes the building record of a new epoch (protocol E4 a). From here on every script of
-- the old epoch is refused, so that no late write of it undoes what the replay learns. The claim
-- makes others wait with building. It is not for safety: after it anybody may begin again, and
-- the later id wins.
-- ARGV: id, claim in ms, and the id of the epoch that the caller wants to end. That is '' for
-- none, and the own id to renew a claim. Last comes what versions that know only layout 1 read
-- as the dedup window, so that they refuse.
-- Answer: '1' and the run id, or '0' and why not.
local e = call('HMGET', P .. 'epoch', 'id', 'run_id', 'building', 'building_run_id', 'claimed_until', 'layout', 'window', 'dedup_window', 'building_layout')
local server = run_id()
-- Records that a newer version has converted, or has begun to, are refused.
for _, other in ipairs({e[6] or '', e[9] or ''}) do
  if other ~= '' and (tonumber(other) or math.huge) > tonumber(LAYOUT) then
    return redis.error_reply('LAYOUT the records are of layout ' .. other .. ', or being converted to it; this version knows ' .. LAYOUT)
  end
end
-- A renewal never begins a building. A server that lost the building record has also lost what
-- was restored under it. And a builder that was replaced must not come back.
if ARGV[3] == ARGV[1] and (e[3] ~= ARGV[1] or e[4] ~= server) then return {'0', 'the building of this epoch was taken over, or lost'} end
if e[1] and e[2] == server and e[1] ~= ARGV[3] then return {'0', 'another epoch is open'} end
if e[3] and e[3] ~= ARGV[1] and e[4] == server and tonumber(e[5] or '0') > now then return {'0', 'another instance is building'} end
-- First a write that takes effect and needs no memory: after it a script may write even at
-- maxmemory. Otherwise a Redis that was restarted full could never be opened again.
call('HDEL', P .. 'epoch', 'id', 'run_id', 'claimed_until')
if e[3] ~= ARGV[1] then call('DEL', P .. 'portions') end -- of another building; a late copy of this call must not void the plan
-- Records of an older layout are converted before anything is restored: see convert. An old
-- version that finds such a building may take it over, but reads the window next.
if not e[6] and not e[7] and not e[1] and not e[3] and call('EXISTS', P .. 'total') == 0 then
  call('HSET', P .. 'epoch', 'layout', LAYOUT)
elseif e[6] ~= LAYOUT then
  call('HSET', P .. 'epoch', 'building_layout', LAYOUT) -- until all are converted
end
if e[7] and not e[8] and tonumber(e[7]) then call('HSET', P .. 'epoch', 'dedup_window', e[7]) end
call('HSET', P .. 'epoch', 'window', ARGV[4])
-- The replay needs to know which epoch wrote what stands here (was). It needs to know whether
-- that was on this very server, which has then lost nothing (was_on).
if e[1] then call('HSET', P .. 'epoch', 'was', e[1], 'was_on', e[1] .. ' ' .. e[2]) end
for _, field in ipairs(call('HKEYS', P .. 'epoch')) do
  if sub(field, 1, 6) == 'fence:' then call('HDEL', P .. 'epoch', field) end
end
call('HSET', P .. 'epoch', 'building', ARGV[1], 'building_run_id', server, 'claimed_until', stamp(now + tonumber(ARGV[2])))
return {'1', server}
