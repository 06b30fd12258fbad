-- watermark notes up to where this Redis has known everything in the topics of results and
-- decisions before Kafka did (protocol E5). A mark never goes back. Witnesses of what stands in
-- the topics are noted beside the marks.
-- ARGV: epoch, then field and value of each mark, or of each witness.
-- Answer: 1, or 0 if the marks stay: an end by a person stands undecided here (protocol A5). Otherwise a replay
-- wouldn't find its decision.
if #ARGV < 3 then return 1 end
if sub(ARGV[2], 1, 8) ~= 'witness:' and call('EXISTS', UNDECIDED) == 1 then return 0 end
local fields = {}
for i = 2, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end
local known = call('HMGET', P .. 'watermark', unpack(fields))
-- First a write that takes something away, so that it may write even at maxmemory: see build.
call('HDEL', P .. 'watermark', fields[1])
for i, field in ipairs(fields) do
  local value = ARGV[2 * i + 1]
  if sub(field, 1, 8) ~= 'witness:' and tonumber(value) < tonumber(known[i] or '-1') then value = known[i] end
  call('HSET', P .. 'watermark', field, value)
end
return 1
