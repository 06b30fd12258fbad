-- touch counts payouts that are about to end by a batch's cancel (protocol A10). Once it has touched any, the cancel isn't
-- refused. The caller has read that it can't be refused any more: a mark that says so came too late, and is void.
-- ARGV: epoch, id, how many.
-- Answer: '1'.
if act_epoch ~= ARGV[1] then
  call('DEL', ACT)
  call('HSET', ACT, 'epoch', ARGV[1], 'until', '')
elseif act_mark == 'refused' then
  call('HDEL', ACT, 'mark', 'said', 'marked', 'told', 'note')
end
call('HINCRBY', ACT, 'touched', ARGV[3])
return '1'
