-- anchor answers what was read last of a partition, by which its topic is recognised
-- (protocol I1), '' if that isn't known.
-- ARGV: epoch, partition, what is noted where nothing is known ('' for nothing).
local field = 'anchor:' .. ARGV[2]
local anchor = call('HGET', P .. 'position', field) or ''
if anchor == '' and ARGV[3] ~= '' then
  call('HSET', P .. 'position', field, ARGV[3])
  anchor = ARGV[3]
end
return anchor
