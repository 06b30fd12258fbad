-- mark notes how far an action is, or what became of it (protocol A5). Only who has it may, and nothing is marked
-- over a mark. That it was refused or is too late is never said of what was made.
-- ARGV: epoch, id, token, what: note or begin, else the mark. Then the note, or what is said.
-- Answer: '1', or '' if the caller has it no more, or may not.
local token, what, text = ARGV[3], ARGV[4], ARGV[5]
if act_epoch == ARGV[1] and act_token == token and act_mark == what then return '1' end -- the caller repeats
if not holds(token) then return '' end
if what == 'note' then
  call('HSET', ACT, 'note', text)
elseif what == 'begin' then
  if not may_begin() then return '' end
  call('HSET', ACT, 'made', '1', 'note', text)
else
  if act_made and what ~= 'done' then return '' end
  if what == 'refused' and act[12] ~= '' then return '' end
  call('HSET', ACT, 'mark', what, 'said', text, 'marked', stamp(now))
  if what == 'done' and act[13] ~= '' then call('HDEL', UNDECIDED, act[13]) end
end
return '1'
