-- unsent answers payouts that wait to be sent, for a rebuild that can't read what was decided
-- about them. What comes due later than in a minute was never leased for a send.
-- ARGV: id of the building, how many at most. Answer: tradeNo, fingerprint and merchant of each.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
local answer, left = {}, tonumber(ARGV[2])
local merchants = call('SMEMBERS', P .. 'merchants')
merchants[#merchants + 1] = ''
for _, merchant in ipairs(merchants) do
  local from, page = 0, nil
  repeat -- what stands there and isn't received must not hide what is
    page = left > 0 and call('ZRANGEBYSCORE', due_set('s', merchant), '-inf', now + 60000, 'LIMIT', from, left) or {}
    from = from + #page
    for _, tradeNo in ipairs(page) do
      local record = call('GET', P .. 'p:' .. tradeNo)
      if record and state_of(record) == 'r' then
        answer[#answer + 1] = tradeNo
        answer[#answer + 1] = sub(record, FINGERPRINT_FROM, FINGERPRINT_TO)
        answer[#answer + 1] = merchant
        left = left - 1
      end
    end
  until #page == 0
end
return answer
