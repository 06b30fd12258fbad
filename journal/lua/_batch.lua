-- Records are read together, and what is written goes out in few commands: a command
-- costs Redis about a microsecond before it does anything, and a chunk has hundreds.
local records = {} -- by tradeNo, as they are with what is still to be written; false where there is none
local function fetch(tradeNos)
  local wanted, keys = {}, {}
  for _, tradeNo in ipairs(tradeNos) do
    if records[tradeNo] == nil then
      wanted[#wanted + 1] = tradeNo
      keys[#keys + 1] = P .. 'p:' .. tradeNo
    end
  end
  if #keys == 0 then return end
  for n, record in ipairs(call('MGET', unpack(keys))) do records[wanted[n]] = record end
end

local leaving, waiting, writing, deleting, lanes, begins = {}, {}, {}, {}, {}, {} -- not done yet
local function put(tradeNo, record)
  records[tradeNo] = record
  writing[#writing + 1] = P .. 'p:' .. tradeNo
  writing[#writing + 1] = record
end
-- begin_with writes over a record's beginning, in Redis only: records keeps the old one.
local function begin_with(tradeNo, text)
  begins[#begins + 1] = P .. 'p:' .. tradeNo
  begins[#begins + 1] = text
end
local function delete(tradeNo)
  records[tradeNo] = false
  deleting[#deleting + 1] = P .. 'p:' .. tradeNo
end
local function leave(set, tradeNo)
  local list = leaving[set] or {}
  list[#list + 1] = tradeNo
  leaving[set] = list
end
local function wait_in(set, score, tradeNo)
  local list = waiting[set] or {}
  list[#list + 1], list[#list + 2] = score, tradeNo
  waiting[set] = list
end
-- stay gives a payout another time in the set in which it waits. The first of a call leaves
-- it for that: see flush.
local moved = false
local function stay(set, score, tradeNo)
  if not moved then leave(set, tradeNo) end
  moved = true
  wait_in(set, score, tradeNo)
end
local function lane_of(merchant) lanes[merchant] = true end

-- flush does it. Leaving comes first: after a write that takes effect and needs no memory a
-- script may write even at maxmemory. Whoever touches a payout twice in one call flushes in
-- between, since all leave before any enters.
local function flush()
  for set, list in pairs(leaving) do call('ZREM', set, unpack(list)) end
  if #deleting > 0 then call('DEL', unpack(deleting)) end
  if #writing > 0 then call('MSET', unpack(writing)) end
  for i = 1, #begins, 2 do call('SETRANGE', begins[i], 0, begins[i + 1]) end
  for set, list in pairs(waiting) do call('ZADD', set, unpack(list)) end
  for merchant in pairs(lanes) do call('SADD', P .. 'merchants', merchant) end
  leaving, waiting, writing, deleting, lanes, begins = {}, {}, {}, {}, {}, {}
end
