-- anchor answers what was read last of a partition, by which the topic is recognised (protocol
-- I1). Where nothing is known it notes what the caller has learned.
-- ARGV: epoch, partition, what to note where nothing is known ('' for nothing).
-- Answer: the anchor, '' if none is known.
local field = 'anchor:' .. ARGV[2]
local anchor = call('HGET', P .. 'position', field) or ''
if anchor == '' and ARGV[3] ~= '' then
  call('HSET', P .. 'position', field, ARGV[3])
  anchor = ARGV[3]
end
return anchor
