-- resolve moves received payouts whose merchant has become known into that merchant's lane. Their
-- records say now what the commands mean by its settings. They were never sent. They are leased
-- for step x and wait under no merchant, or under that one if it was configured before.
-- ARGV: epoch, then for each payout: tradeNo, token, due, offset, record.
-- Answer: one letter a payout: a moved (also if this caller had done it before), l lost to
-- somebody else.
local tradeNos = {}
for i = 2, #ARGV, 5 do tradeNos[#tradeNos + 1] = ARGV[i] end
fetch(tradeNos)

local function place_of(record) return sub(record, PARTITION_FROM, HEAD) end

local function move(tradeNo, token, due, offset, record)
  local current = records[tradeNo]
  if not current or token_of(current) ~= token or state_of(current) ~= 'r' then return 'l' end
  if lease_end_of(current) == 0 then return merchant_of(current) == merchant_of(record) and 'a' or 'l' end
  local partition, owner, merchant = partition_of(current), merchant_of(current), merchant_of(record)
  -- Its command may have been carried forward during the lease: then it is looked at again.
  if owner ~= '' and owner ~= merchant or place_of(current) ~= place_of(record) then return 'l' end
  leave(due_set('x'), tradeNo)
  leave(open_set(partition, owner), tradeNo)
  put(tradeNo, record)
  note_merchant(merchant)
  wait_in(due_set('s', merchant), due, tradeNo)
  wait_in(open_set(partition, merchant), offset, tradeNo)
  local expires = expires_of(record)
  if expires > 0 then wait_in(due_set('x'), expires, tradeNo) end
  count(owner, 'r', -1)
  count(merchant, 'r', 1)
  return 'a'
end

local moved, args = {}, ARGV
for i = 2, #args, 5 do moved[#moved + 1] = move(args[i], args[i + 1], args[i + 2], args[i + 3], args[i + 4]) end
flush()
write_counts()
return table.concat(moved)
