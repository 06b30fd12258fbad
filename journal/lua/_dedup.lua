-- _dedup is the dedup window: it remembers finals by tradeNo, for at least the window.
-- ARGV[2] is the window in milliseconds.
local window = tonumber(ARGV[2])

-- Finals stand in small hashes, in generations of a third of the window each. A generation
-- expires a whole window after its end. So a final is remembered for at least the window, and
-- for four thirds of it at most.
local function generation() return math.floor(now / math.floor(window / 3)) end
-- hashes_of answers the beginning of the names of a generation's hashes.
local function hashes_of(gen) return P .. 'memo:' .. format('%.0f', gen) .. ':' end

-- generations answers the names of all generations that are listed, the newest first. Later ones
-- than the present one count too: the clock may have gone back. The oldest may have expired, and hold
-- nothing then. Most calls need none, so they are read when first asked for.
local listed = nil
local function generations()
  if listed then return listed end
  listed = {}
  for _, gen in ipairs(call('ZRANGE', P .. 'generations', 0, -1)) do
    table.insert(listed, 1, hashes_of(tonumber(gen)))
  end
  return listed
end

-- begin_generation notes that a generation holds something, until it has expired as a whole. It
-- forgets those that have.
local function begin_generation(gen, ends)
  local name = format('%.0f', gen)
  call('SET', P .. 'gen:' .. name, '1', 'PXAT', ends)
  call('ZADD', P .. 'generations', gen, name)
  local all = call('ZRANGE', P .. 'generations', 0, -1)
  for _, old in ipairs(all) do
    if call('EXISTS', P .. 'gen:' .. old) == 0 then call('ZREM', P .. 'generations', old) end
  end
  listed = nil
end

-- sent_memo tells what is remembered of a send or a hold from what is remembered of an end.
local function sent_memo(memo)
  local letter = sub(memo, 1, 1)
  return letter == 'S' or letter == 's'
end

-- recall answers what is remembered of a tradeNo, nil if nothing is: the state's letter and the
-- fingerprint, of a send also what memo_of_send adds. An end in any generation goes before a
-- send in a newer one.
local function recall(bucket, tradeNo)
  local sent = nil
  for _, hashes in ipairs(generations()) do
    local memo = call('HGET', hashes .. bucket, tradeNo)
    if memo and not sent_memo(memo) then return memo end
    sent = sent or memo
  end
  return sent or nil
end

-- remember notes a final, or a send that a rebuild has learned of, in the present generation. Where
-- the caller knows that the hash isn't new, it says so.
local present = nil
local function present_hash(bucket)
  present = present or hashes_of(generation())
  return present .. bucket
end
local function remember(bucket, tradeNo, memo, old)
  local key = present_hash(bucket)
  local fresh = not old and call('EXISTS', key) == 0
  call('HSET', key, tradeNo, memo)
  if not fresh then return end
  local gen = generation()
  local ends = stamp((gen + 1) * math.floor(window / 3) + window)
  call('PEXPIREAT', key, ends)
  local marker = P .. 'gen:' .. format('%.0f', gen)
  if call('EXISTS', marker) == 0 then begin_generation(gen, ends) end
end

-- A send that a rebuild has learned of is remembered like a final until its command is read
-- again. The text is S, fingerprint, when it was decided, account, merchant. Layout 1 wrote s
-- and no account; that is still read.
local function memo_account(memo) return sub(memo, 1, 1) == 'S' and sub(memo, 31, 38) or NO_ACCOUNT end
local function memo_merchant(memo) return sub(memo, sub(memo, 1, 1) == 'S' and 39 or 31) end
-- A hold that a rebuild has learned of is such a text without a time: nobody needs to know when
-- it was sent.
local function held_memo(memo) return sent_memo(memo) and sub(memo, 18, 30) == stamp(0) end
-- why_of names the key that says why a payout is held and since when, as progress that Go has
-- written. It stands apart because it is long: small hashes must stay small. Holds are few.
local function why_of(tradeNo) return P .. 'why:' .. tradeNo end
local function memo_of_send(fingerprint, sent, account, merchant) return 'S' .. fingerprint .. stamp(sent) .. account .. merchant end
