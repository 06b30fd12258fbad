-- epoch answers what this Redis holds, for an instance that must decide what to do with it. It is run without
-- an epoch and changes nothing.
-- Answer, in this order:
--  - the run id
--  - the epoch's number, id and run id
--  - the number of shards
--  - the building's id and run id, and how long its claim lasts in ms ('' and 0 without one)
--  - all fields of the epoch, its fences among them
--  - the watermarks
--  - the time
local e = call('HMGET', P .. 'epoch', 'number', 'id', 'run_id', 'shards', 'building', 'building_run_id', 'claimed_until')
return {run_id(), e[1] or '0', e[2] or '', e[3] or '', e[4] or '0', e[5] or '', e[6] or '', math.max(0, tonumber(e[7] or '0') - now), call('HGETALL', P .. 'epoch'), call('HGETALL', P .. 'watermark'), stamp(now)}
