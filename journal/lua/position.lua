-- position answers a partition's read position. It sets it where there is none yet, or where an
-- operator has committed a later offset past a gap.
-- ARGV: epoch, partition, offset, '1' to move an existing position forward.
-- Answer: the position.
local position = call('HGET', P .. 'position', ARGV[2])
-- Without a position nothing was read of this topic, so an anchor is another topic's.
if not position then call('HDEL', P .. 'position', 'anchor:' .. ARGV[2]) end
if not position or (ARGV[4] == '1' and tonumber(ARGV[3]) > tonumber(position)) then
  call('HSET', P .. 'position', ARGV[2], ARGV[3])
  position = ARGV[3]
end
return position
