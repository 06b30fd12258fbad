-- _records reads the records of a call together, and writes them in few commands. A command costs
-- Redis about a microsecond before it does anything, and a call works on hundreds of payouts.
local records = {} -- by tradeNo, as they are with what is still to be written; false where there is none
local names = {} -- the records' keys by tradeNo, made once
local prefix = P .. 'p:'
local function fetch(tradeNos)
  local wanted, keys, n = {}, {}, 0
  for _, tradeNo in ipairs(tradeNos) do
    if records[tradeNo] == nil then
      local key = prefix .. tradeNo
      n = n + 1
      wanted[n], keys[n], names[tradeNo] = tradeNo, key, key
    end
  end
  if n == 0 then return end
  for i, record in ipairs(call('MGET', unpack(keys))) do records[wanted[i]] = record end
end

-- put, begin_with, delete, leave, wait_in, stay and note_merchant note what flush is to do.
local leaving, waiting = {}, {} -- not done yet, as the next line; nil where there is nothing to do
local writing, deleting, noted, begins
local function put(tradeNo, record)
  writing = writing or {}
  local n = #writing
  records[tradeNo], writing[n + 1], writing[n + 2] = record, names[tradeNo], record
end
-- begin_with overwrites a record's beginning, in Redis only: the table records has the old one.
local function begin_with(tradeNo, text)
  begins = begins or {}
  local n = #begins
  begins[n + 1], begins[n + 2] = names[tradeNo], text
end
local function delete(tradeNo)
  records[tradeNo] = false
  deleting = deleting or {}
  deleting[#deleting + 1] = names[tradeNo]
end
local function leave(set, tradeNo)
  local list = leaving[set]
  if not list then list = {}; leaving[set] = list end
  list[#list + 1] = tradeNo
end
local function wait_in(set, score, tradeNo)
  local list = waiting[set]
  if not list then list = {}; waiting[set] = list end
  local n = #list
  list[n + 1], list[n + 2] = score, tradeNo
end
-- stay gives a payout another time in the lane in which it waits. The first one of a call leaves
-- the lane and enters it again, because flush needs a write that takes something away.
local moved = false
local function stay(set, score, tradeNo)
  if not moved then leave(set, tradeNo) end
  moved = true
  wait_in(set, score, tradeNo)
end
local function note_merchant(merchant)
  noted = noted or {}
  if not noted[merchant] then noted[merchant], noted[#noted + 1] = true, merchant end
end

-- first_of answers the first due time of a list of due times and tradeNos by turns. They are compared
-- as numbers: some have 13 digits, and some as many as they need.
local function first_of(list)
  local first, at = list[1], tonumber(list[1])
  for i = 3, #list, 2 do
    if list[i] ~= first and tonumber(list[i]) < at then first, at = list[i], tonumber(list[i]) end
  end
  return first
end

-- put_right makes the bound of a lane right, whatever the index says.
local function put_right(set)
  local first = call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  if first then call('ZADD', INDEX, first, lanes[set]) else call('ZREM', INDEX, lanes[set]) end
end

-- flush does what was noted. It first removes payouts from their lanes: after a write that takes
-- effect and needs no memory, a script may write even at maxmemory. All payouts leave their
-- lanes before any enters one. So a script that touches a payout twice flushes in between.
-- exact is a lane whose bound is to be right, not only early; nil for none.
local function flush(exact)
  for set, list in pairs(leaving) do call('ZREM', set, unpack(list)) end
  if deleting then call('DEL', unpack(deleting)) end
  if writing then call('MSET', unpack(writing)) end
  for i = 1, begins and #begins or 0, 2 do call('SETRANGE', begins[i], 0, begins[i + 1]) end
  local bounds = {}
  for set, list in pairs(waiting) do
    call('ZADD', set, unpack(list))
    local n = #bounds
    if lanes[set] and set ~= exact then bounds[n + 1], bounds[n + 2] = first_of(list), lanes[set] end -- open sets are no lanes
  end
  if #bounds > 0 then call('ZADD', INDEX, 'LT', unpack(bounds)) end
  -- A merchant's lane that is empty now leaves the index. Its bound would come due at the end of a lease
  -- that is over long before, one after the other with a thousand merchants.
  local empty = {}
  for set in pairs(leaving) do
    local lane = lanes[set]
    if lane and #lane > 1 and set ~= exact and not waiting[set] and call('EXISTS', set) == 0 then empty[#empty + 1] = lane end
  end
  if #empty > 0 then call('ZREM', INDEX, unpack(empty)) end
  if exact then put_right(exact) end
  if noted then call('SADD', P .. 'merchants', unpack(noted)) end
  leaving, waiting, writing, deleting, noted, begins = {}, {}, nil, nil, nil, nil
end
