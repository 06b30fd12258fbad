-- told notes that what became of an action stands in Kafka. The key is forgotten some days later: until its
-- outcome is read, it is all that keeps the action from being carried out again.
-- ARGV: epoch, id, days in ms.
-- Answer: '1'.
if act_epoch == ARGV[1] and act_mark ~= '' then
  call('HSET', ACT, 'told', '1')
  call('PEXPIRE', ACT, ARGV[3])
  call('DEL', ACT .. ':touched')
end
return '1'
