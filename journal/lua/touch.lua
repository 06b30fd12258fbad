-- touch counts payouts that are about to end by a batch's cancel (protocol A10). Once it has touched any, the cancel isn't
-- refused. The caller has read that it can't be refused any more: a mark that says so came too late, and is void.
-- A payout counts once, however often it is touched: who was to end it may have lost its lease. Nothing is counted once
-- the outcome stands in Kafka.
-- ARGV: epoch, id, how long the counted names are kept in ms. Then the tradeNos.
-- Answer: '1'.
local NAMES = ACT .. ':touched'
if act_epoch ~= ARGV[1] then
  call('DEL', ACT, NAMES)
  call('HSET', ACT, 'epoch', ARGV[1], 'until', '')
elseif act_mark == 'refused' then
  call('HDEL', ACT, 'mark', 'said', 'marked', 'told', 'note')
end
local told = act[10] ~= '' and act_mark ~= 'refused' and act_epoch == ARGV[1]
local counted = 0
if not told then
  for i = 4, #ARGV do counted = counted + call('SADD', NAMES, ARGV[i]) end
  if #ARGV > 3 then call('PEXPIRE', NAMES, ARGV[3]) end
end
call('HINCRBY', ACT, 'touched', counted)
return '1'
