-- known answers what this Redis holds of one payout, for a person who asks. It is run without an
-- epoch, so that it also answers while none is open. It changes nothing.
-- ARGV: '', the dedup window in ms, the bucket, tradeNo.
-- Answer, in this order:
--  - the time
--  - the run id
--  - the epoch's id and run id, and the id of a building ('' without one)
--  - from when on and until when Redis' clock is believed ('' where nobody has stamped that)
--  - how many payouts are open in this shard
--  - the record of an open payout ('' without one)
--  - when it is due, and how many are due before it where it waits ('' where it waits nowhere)
--  - what is remembered of it, and why it is held if that stands apart ('' for nothing)
local e = call('HMGET', P .. 'epoch', 'id', 'run_id', 'building', 'clock_from', 'clock_until')
local tradeNo = ARGV[4]
local record = call('GET', P .. 'p:' .. tradeNo) or ''
local memo = recall(ARGV[3], tradeNo) or ''
local why = memo ~= '' and call('GET', why_of(tradeNo)) or ''

local due, before = '', ''
if record ~= '' and not other_layout(record) then
  local set = set_of(record)
  local score = call('ZMSCORE', set, tradeNo)[1]
  if type(score) == 'string' then
    due = format('%.0f', tonumber(score))
    before = call('ZCOUNT', set, '-inf', '(' .. score)
  end
end
return {
  stamp(now), run_id(), e[1] or '', e[2] or '', e[3] or '', e[4] or '', e[5] or '', call('GET', P .. 'total') or '0', record, due, before, memo, why,
}
