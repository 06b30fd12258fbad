-- ARGV[2] is the window of the memory in milliseconds.
local window = tonumber(ARGV[2])

-- The memory of finals: small hashes in generations of a third of the window. A
-- generation expires a whole window after its own end, so a payout is remembered for
-- at least the window and at most for four thirds of it.
local function generation() return math.floor(now / math.floor(window / 3)) end
-- memory is the beginning of the names of a generation's hashes.
local function memory(gen) return P .. 'memo:' .. format('%.0f', gen) .. ':' end

-- living are these of the generations that hold anything, the newest first.
local living = {}
for gen = generation(), generation() - 3, -1 do
  if call('EXISTS', P .. 'gen:' .. format('%.0f', gen)) == 1 then living[#living + 1] = memory(gen) end
end

-- recall answers what is remembered of a tradeNo: the state's letter and the fingerprint,
-- of a send also what memo_of_send says.
local function recall(bucket, tradeNo)
  for _, hashes in ipairs(living) do
    local memo = call('HGET', hashes .. bucket, tradeNo)
    if memo then return memo end
  end
  return nil
end

local present = memory(generation())
local function remember(bucket, tradeNo, memo)
  local key = present .. bucket
  local fresh = call('EXISTS', key) == 0
  call('HSET', key, tradeNo, memo)
  if not fresh then return end
  local gen = generation()
  local ends = stamp((gen + 1) * math.floor(window / 3) + window)
  call('PEXPIREAT', key, ends)
  local marker = P .. 'gen:' .. format('%.0f', gen)
  if call('EXISTS', marker) == 0 then
    call('SET', marker, '1', 'PXAT', ends)
    table.insert(living, 1, present)
  end
end

-- A send that a rebuild has learned of is remembered like a final until its command is
-- read again: s, fingerprint, when it was decided, merchant.
local function sent_memo(memo) return sub(memo, 1, 1) == 's' end
-- A hold that it has learned of is such a memo without a time: nobody needs to know when
-- it was sent, and instances of a version that knows no holds take it for a send.
local function held_memo(memo) return sent_memo(memo) and sub(memo, 18, 30) == stamp(0) end
local function memo_of_send(fingerprint, sent, merchant) return 's' .. fingerprint .. stamp(sent) .. merchant end
