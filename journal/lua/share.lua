-- share gives a worker of a rebuild a portion to work off, for as long as a claim lasts: a worker
-- that dies is replaced. Two that work on one portion do no harm, since restore may be repeated.
-- ARGV: id, settings, worker, claim in ms. Then follows the portion that the worker has: its
-- name ('' for none), and its text as far as it has come. Last '1' if the portion is done, or ''
-- if it goes on.
-- Answer: the name of the portion that is the worker's now ('' for none). Then for all portions
-- name, state and text. The state is 'd' if it is done, 'c' if it is claimed, '' if it is free.
--
-- A portion's value is: when its claim ends (9999999999999 once it is done), worker, newline,
-- text.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id', 'claimed_until', 'planned')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
-- A worker with another number of shards would leave out payouts of this shard. One with another
-- dedup window would remember them where nobody looks. Both would call the portion done.
if e[4] ~= ARGV[2] then return redis.error_reply('EPOCHOVER the rebuild is for other settings (shards and window): ' .. tostring(e[4])) end
call('HDEL', P .. 'epoch', 'claimed_until') -- so that it may write even at maxmemory: see build
call('HSET', P .. 'epoch', 'claimed_until', e[3] or '0')
local worker, mine, DONE = ARGV[3], ARGV[5], '9999999999999'

local names, portions = {}, {}
local all = call('HGETALL', P .. 'portions')
for i = 1, #all, 2 do
  local value = all[i + 1]
  local n = find(value, '\n', 1, true)
  names[#names + 1] = all[i]
  portions[all[i]] = {till = sub(value, 1, 13), worker = sub(value, 14, n - 1), text = sub(value, n + 1)}
end
-- Results come before decisions: what has ended needn't be remembered as sent first.
table.sort(names, function(a, b)
  local kind, other = sub(a, 1, 1), sub(b, 1, 1)
  if kind ~= other then return kind > other end
  return a < b
end)

local function put(name, till, who, text)
  portions[name] = {till = till, worker = who, text = text}
  call('HSET', P .. 'portions', name, till .. who .. '\n' .. text)
end

local has = portions[mine]
if has and has.worker ~= worker then has = nil end -- somebody else has it: this one was too slow
if has and has.till ~= DONE then
  put(mine, ARGV[7] == '1' and DONE or stamp(now + tonumber(ARGV[4])), worker, ARGV[6])
end
local given = ''
if has and ARGV[7] == '' then
  given = mine
else
  -- What it was given already, by a call whose reply was lost, goes first.
  for _, name in ipairs(names) do
    local p = portions[name]
    if p.worker == worker and p.till ~= DONE and given == '' then given = name end
  end
  for _, name in ipairs(names) do
    local p = portions[name]
    if given == '' and p.till ~= DONE and tonumber(p.till) <= now then given = name end
  end
  if given ~= '' then put(given, stamp(now + tonumber(ARGV[4])), worker, portions[given].text) end
end

local answer = {given}
for _, name in ipairs(names) do
  local p = portions[name]
  answer[#answer + 1] = name
  answer[#answer + 1] = p.till == DONE and 'd' or tonumber(p.till) > now and 'c' or ''
  answer[#answer + 1] = p.text
end
return answer
