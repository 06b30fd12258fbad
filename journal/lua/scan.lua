-- scan answers the next records of another layout, for convert. It goes through all keys of the
-- server, and nobody but the builder writes meanwhile, so it meets every record. Only the builder
-- of an epoch may call it.
-- ARGV: id, cursor, how many keys to look at.
-- Answer: next cursor ('0' at the end), then tradeNo and record by turns.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
local prefix = P .. 'p:'
local page = call('SCAN', ARGV[2], 'COUNT', ARGV[3])
local answer = {page[1]}
for _, key in ipairs(page[2]) do
  if sub(key, 1, #prefix) == prefix then
    local record = call('GET', key)
    if record and sub(record, 1, 1) ~= LAYOUT then
      answer[#answer + 1] = sub(key, #prefix + 1)
      answer[#answer + 1] = record
    end
  end
end
return answer
