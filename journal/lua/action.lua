-- action notes which action of payout.actions is the latest, and whether the decisions have that (protocol A1). A
-- later one is never replaced by an earlier one.
-- ARGV: epoch, then generation, offset and id of the action, and '1' if the decisions have it.
-- Answer: the latest noted one as 'generation:offset:id', and the latest one that the decisions have.
local function later(noted) -- than the caller's, or at the same place
  local generation, offset = noted:match('^(%d+):(%d+):')
  if not generation then return false end
  if tonumber(generation) ~= tonumber(ARGV[2]) then return tonumber(generation) > tonumber(ARGV[2]) end
  return tonumber(offset) >= tonumber(ARGV[3])
end
local known = call('HMGET', P .. 'epoch', 'action', 'action_told')
local mine = ARGV[2] .. ':' .. ARGV[3] .. ':' .. ARGV[4]
for i, field in ipairs({'action', 'action_told'}) do
  local noted = known[i] or ''
  if (i == 1 or ARGV[5] == '1') and not later(noted) then
    call('HDEL', P .. 'epoch', field) -- so that it may write even at maxmemory: see build
    call('HSET', P .. 'epoch', field, mine)
    noted = mine
  end
  known[i] = noted
end
return known
