-- unsent answers payouts that wait to be sent, for a rebuild that can't read what was decided about
-- them. What comes due in more than a minute is left out: it was never leased for a send.
-- ARGV: id of the building, how many at most.
-- Answer: tradeNo, fingerprint and merchant of each.
local e = call('HMGET', P .. 'epoch', 'building', 'building_run_id')
if e[1] ~= ARGV[1] or e[2] ~= run_id() then return redis.error_reply('EPOCHOVER the building of this epoch was taken over') end
local answer, left = {}, tonumber(ARGV[2])
local sets, steps = {due_set('s', ''), due_set('x')}, {'s', 'x'} -- the second has what waits for its merchant
for _, merchant in ipairs(call('SMEMBERS', P .. 'merchants')) do
  if merchant ~= '' then
    sets[#sets + 1] = due_set('s', merchant)
    steps[#steps + 1] = 's'
  end
end
for _, batch in ipairs(call('ZRANGE', PARKED_SETS, 0, -1)) do -- it may have been sent before it was parked
  sets[#sets + 1] = parked_set(batch)
  steps[#steps + 1] = PARKED
end
for i, set in ipairs(sets) do
  local from, page = 0, nil
  repeat -- what stands there and isn't received must not hide what is
    page = left > 0 and call('ZRANGEBYSCORE', set, '-inf', now + 60000, 'LIMIT', from, left) or {}
    from = from + #page
    for _, tradeNo in ipairs(page) do
      local record = call('GET', P .. 'p:' .. tradeNo)
      if record and state_of(record) == 'r' and step_of(record) == steps[i] then
        answer[#answer + 1] = tradeNo
        answer[#answer + 1] = sub(record, FINGERPRINT_FROM, FINGERPRINT_TO)
        answer[#answer + 1] = merchant_of(record)
        left = left - 1
      end
    end
  until #page == 0
end
return answer
