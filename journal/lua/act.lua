-- act sees an action, and claims it for one instance (protocol A5). Who sees it first notes Redis' time: the
-- deadline counts from there, for all instances.
-- ARGV: epoch, id, order among all actions, Kafka's time of it, for how long it may be carried out
-- in ms, token, claim in ms. Without a time it may for ever, and without a token nothing is claimed.
-- Answer: y the caller's, w nothing to do now, m marked. Then made, note, mark, said, marked and told as they stand
-- now. Then how much time is left in ms ('' for ever), 1 if it was recorded before this
-- epoch began, and touched.
local order, recorded, lasts, token = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local before = order < (tonumber(call('HGET', P .. 'epoch', 'actions') or '') or math.huge)
local late = false -- it may have happened before the journal was lost

local function mark(as, said)
  call('HSET', ACT, 'mark', as, 'said', said, 'marked', stamp(now))
  act[7], act[8], act[9] = as, said, stamp(now)
end

if act_epoch ~= ARGV[1] then
  -- It was recorded before this epoch began, and nobody knows what became of it since: claimed and lost looks like
  -- never claimed. So it is never carried out. A batch's cancel begins again: it stands for ever.
  late = lasts ~= nil and before
  local done = lasts ~= nil and (act[11] == ARGV[1] or act_mark == 'done')
  local said, marked = act[8], act[9]
  if act_mark ~= 'done' then said = '' end
  call('DEL', ACT, ACT .. ':touched')
  local till = lasts and stamp(now + lasts) or ''
  call('HSET', ACT, 'epoch', ARGV[1], 'until', till)
  act = {ARGV[1], till, '', '', '', '', '', '', '', '', '', ''}
  act_until, act_token, act_lease, act_made, act_mark = till, '', 0, false, ''
  if done then
    mark('done', said)
    if marked ~= '' then call('HSET', ACT, 'marked', marked) act[9] = marked end
  elseif late then
    mark('expired', 'lost')
  end
end

local state = 'w'
local free = act_token == token or act_lease <= now
if act[7] ~= '' then
  state = 'm'
elseif not act_made and free and lasts and (now >= tonumber(act_until) or now > recorded + lasts + 60000) then
  mark('expired', '')
  state = 'm'
elseif token ~= '' and free then
  call('HSET', ACT, 'token', token, 'lease', stamp(now + tonumber(ARGV[7])))
  state = 'y'
end
return {state, act_made and '1' or '', act[6], act[7], act[8], act[9], act[10], lasts and stamp(tonumber(act_until) - now) or '', before and '1' or '', act[12]}
