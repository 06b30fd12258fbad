-- touch counts payouts that are about to end by a batch's cancel (protocol A10). Once that is refused, none ends by it;
-- and once it has touched any, it isn't refused.
-- ARGV: epoch, id, how many.
-- Answer: '1', or '' if it is refused.
if act_epoch ~= ARGV[1] then
  call('DEL', ACT)
  call('HSET', ACT, 'epoch', ARGV[1], 'until', '')
elseif act_mark == 'refused' then
  return ''
end
call('HINCRBY', ACT, 'touched', ARGV[3])
return '1'
