-- _layout is what all scripts share: the keys, the layout of a record, the clock, the counts. A script
-- is loaded without what it doesn't use of it: see source.go.
-- KEYS[1] is the shard's prefix, "namespace:{shard}:". All keys of a shard have its hash tag,
-- so a script stays in one slot. KEYS[2] never exists: see runAs in script.go.
-- ARGV[1] is the id of the epoch that the caller believes in, or is building.
--
-- A record is one string, which takes less memory than a hash of fields. It begins with a head
-- of fixed width, which the scripts read and overwrite in place. Four lines follow: the
-- merchant, the batch id, what the command said, what has become of it. The last two are JSON,
-- which only Go reads. Go's side of the layout is record.go.
--
-- The first letter is the version of the layout. The epoch has it too: an instance of another
-- version never joins. A record of another layout that is met all the same is refused.
local P = KEYS[1]

-- Locals, because a global costs a lookup each time. A call makes tens of thousands.
local sub, find, format, call = string.sub, string.find, string.format, redis.call

local LAYOUT = '3'
local STATE, STEP = 2, 3
local TOKEN_FROM, TOKEN_TO = 4, 15
local LEASE_END_FROM, LEASE_END_TO = 16, 28
local FINGERPRINT_FROM, FINGERPRINT_TO = 29, 44
local EXPIRES_FROM, EXPIRES_TO = 45, 57
local SENDS_FROM, SENDS_TO = 58, 59
local SENT_FROM, SENT_TO = 60, 72
local SEND_BY_FROM, SEND_BY_TO = 73, 85 -- no byte of it leaves after that
local ACCOUNT_FROM, ACCOUNT_TO = 86, 93 -- to which account of the provider it was sent
local FLAGS_FROM, FLAGS_TO = 94, 97 -- the first: see OWN_END; the others are free
local PARTITION_FROM, PARTITION_TO = 98, 103
local HEAD = 132 -- the offset and the time of the command stand last

-- OWN_END is the flag of an end by our own word: the decisions must vouch for it. PERSONS_END is that of
-- an end by a person's word, for which they must vouch too (protocol A6).
local OWN_END, PERSONS_END, NO_FLAG, NO_FLAGS = 'o', 'p', '-', '----'

-- UNDECIDED has the payouts that an action has ended here, by the action's id, until that is noted as decided and
-- looked at (protocol A5). No watermark moves meanwhile, and a later epoch makes them held. Those that a batch's cancel
-- ends are not among them: they may be decided in any epoch.
local UNDECIDED = P .. 'undecided'

-- FORGOTTEN is the progress of a payout of which the journal has lost what it knew. An order of it may have
-- been shown before (protocol A7).
local FORGOTTEN = '{"fo":true}'

-- They stand where no account is known, and where a payout was sent to several.
local NO_ACCOUNT, SEVERAL_ACCOUNTS = '--------', '????????'

-- PARKED is the step of a received payout that waits in no lane: a person's pause keeps it from being
-- sent (protocol A4). It waits in a set of its merchant and batch. The counts have them apart under this letter.
local PARKED = 'k'
local WAITS_TO_BE_SENT, IS_PARKED = 'rs', 'rk' -- state and step

-- NO_PARTITION is the partition of a record without content. A replay knows of such a payout
-- only that it was decided to be sent, or how it ended (protocol E6).
local NO_PARTITION = 999999
local NO_PLACE = '99999900000000000000000000000000000' -- it and the rest of the head

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- CLOCK_BACK is by how much Redis' clock may go back behind what it has shown, in ms (protocol
-- E11). CLOCK_AHEAD is by how much it may be ahead of an instance's own clock. A minute back
-- does no harm: leases and pauses last longer, and recall looks into later generations too. An
-- hour ahead shortens the dedup window by an hour at most.
local CLOCK_BACK, CLOCK_AHEAD = 60000, 3600000

-- stamp writes milliseconds with the 13 digits that the head has room for. The texts are kept
-- for the call: hundreds of payouts get the same few times, and formatting one costs as much
-- as a command.
local stamps = {}
local function stamp(ms)
  local text = stamps[ms]
  if not text then
    text = format('%013.0f', math.min(math.max(ms, 0), 9999999999999))
    stamps[ms] = text
  end
  return text
end

-- other_layout tells that a record is of another layout. Such a record can't be read, so it is never changed.
local function other_layout(record) return sub(record, 1, 1) ~= LAYOUT end
local function refuse(tradeNo, record)
  return redis.error_reply('LAYOUT the record of ' .. tradeNo .. ' is of layout "' .. sub(record, 1, 1) .. '", this version knows ' .. LAYOUT)
end

local function state_of(record) return sub(record, STATE, STATE) end
local function step_of(record) return sub(record, STEP, STEP) end
local function token_of(record) return sub(record, TOKEN_FROM, TOKEN_TO) end
local function lease_end_of(record) return tonumber(sub(record, LEASE_END_FROM, LEASE_END_TO)) end
local function expires_of(record) return tonumber(sub(record, EXPIRES_FROM, EXPIRES_TO)) end
local function partition_of(record) return tonumber(sub(record, PARTITION_FROM, PARTITION_TO)) end
local function account_of(record) return sub(record, ACCOUNT_FROM, ACCOUNT_TO) end
local function state_and_step_of(record) return sub(record, STATE, STEP) end
local function merchant_of(record)
  return sub(record, HEAD + 1, find(record, '\n', HEAD + 1, true) - 1)
end
-- command_of answers where the command's lines begin and end: at the newline after the
-- merchant, and at the one after what the command said.
local function command_of(record)
  local first = find(record, '\n', HEAD + 1, true)
  return first, find(record, '\n', find(record, '\n', first + 1, true) + 1, true)
end
-- splice joins two records of a payout. What has become of it comes from the first, what its
-- command said, its expiry and its place in the topic from the second. The merchant is the
-- given one: sets and counts are named by it.
local function splice(became, said, merchant)
  local first, last = command_of(said)
  local _, before = command_of(became)
  return sub(became, 1, EXPIRES_FROM - 1) .. sub(said, EXPIRES_FROM, EXPIRES_TO) .. sub(became, EXPIRES_TO + 1, PARTITION_FROM - 1)
    .. sub(said, PARTITION_FROM, HEAD) .. merchant .. sub(said, first, last) .. sub(became, before + 1)
end

-- forgetting adds FORGOTTEN to what has become of a payout.
local function forgetting(progress)
  if progress == '{}' then return FORGOTTEN end
  if find(progress, '"fo":true', 1, true) then return progress end
  return '{"fo":true,' .. sub(progress, 2)
end

-- maybe_sent answers a record of a payout that may have been sent, nobody knows how often. The last byte may have
-- left as late as send_by.
local function maybe_sent(record, send_by, account)
  local sends, until_now = sub(record, SENDS_FROM, SENDS_TO), sub(record, SEND_BY_FROM, SEND_BY_TO)
  if sends == '00' then sends = '02' end
  if until_now > send_by then send_by = until_now end
  return sub(record, 1, SENDS_FROM - 1) .. sends .. sub(record, SENT_FROM, SENT_TO) .. send_by .. account .. sub(record, ACCOUNT_TO + 1)
end

-- accounts_of answers the account of earlier sends and of a later one together.
local function accounts_of(earlier, later)
  if earlier == later then return earlier end
  if earlier == NO_ACCOUNT or later == NO_ACCOUNT then return NO_ACCOUNT end
  return SEVERAL_ACCOUNTS
end

-- due_set names the lane in which a payout waits for a step: a sorted set by due time. Sends
-- and asks have one for each merchant, so that one merchant's outage never hides another's
-- work. Names are made once a call: hundreds of payouts wait in the same few lanes.
local due_sets = {}
local lanes = {} -- the lanes' names by their sets
local function due_set(step, merchant)
  if step ~= 's' and step ~= 'a' then merchant = '' end
  local names = due_sets[step]
  if not names then names = {}; due_sets[step] = names end
  local name = names[merchant]
  if not name then
    local lane = step
    if step == 's' or step == 'a' then lane = step .. ':' .. merchant end
    name = P .. 'due:' .. lane
    names[merchant], lanes[name] = name, lane
  end
  return name
end

-- parked_set names the set in which a payout of a merchant and a batch waits while it is parked, by its due
-- time. The two stand beside each other in its record. PARKED_SETS has the ends of these names.
local PARKED_SETS = P .. 'parkings'
local function batch_of(record)
  local first = find(record, '\n', HEAD + 1, true)
  return sub(record, HEAD + 1, find(record, '\n', first + 1, true) - 1)
end
local function parked_set(batch) return P .. 'parked:' .. batch end

-- set_of names the set in which a record's payout waits for its step.
local function set_of(record)
  local step = step_of(record)
  if step == PARKED then return parked_set(batch_of(record)) end
  return due_set(step, merchant_of(record))
end

-- INDEX has the name of each lane in which something waits, by a lower bound of its first due time.
-- Whoever adds to a lane lowers the bound, in the same script. Who takes something away leaves it:
-- a bound that is too early costs a look, which corrects it. With one that is too late payouts
-- would wait; due sweeps the lanes for such bounds.
local INDEX = P .. 'lanes'

-- open_set names the sorted set of a merchant's open payouts of one partition, by offset.
local open_sets = {}
local function open_set(partition, merchant)
  local names = open_sets[merchant]
  if not names then names = {}; open_sets[merchant] = names end
  local name = names[partition]
  if not name then
    name = P .. 'open:' .. partition .. ':' .. merchant
    names[partition] = name
  end
  return name
end

-- count adds to the number of open payouts of a merchant in a state. write_counts writes all
-- of a call at its end, with one command for each number that changed.
local changed = {}
local function count(merchant, state, by)
  local states = changed[merchant]
  if not states then states = {}; changed[merchant] = states end
  states[state] = (states[state] or 0) + by
end
-- turn counts an open payout that turns from a state to another.
local function turn(merchant, from, to)
  local states = changed[merchant]
  if not states then states = {}; changed[merchant] = states end
  states[from], states[to] = (states[from] or 0) - 1, (states[to] or 0) + 1
end
-- Parked payouts are counted under PARKED too, in a hash of their own: the insert reads all of it.
local function count_parked(merchant, by)
  if call('HINCRBY', P .. 'parked', merchant, by) <= 0 then call('HDEL', P .. 'parked', merchant) end
end
local function write_counts()
  for merchant, states in pairs(changed) do
    for state, by in pairs(states) do
      if by == 0 then -- nothing has changed
      elseif state == PARKED then count_parked(merchant, by)
      else call('HINCRBY', P .. 'count', merchant .. '\n' .. state, by) end
    end
  end
end

-- line answers what stands behind a name up to the line's end, nil if nothing does. It uses no
-- pattern: matching one takes longer than INFO itself.
local function line(text, name)
  local _, last = find(text, name, 1, true)
  local value = last and sub(text, last + 1, find(text, '\r', last, true) - 1)
  return value ~= '' and value or nil
end

-- run_id names this server and what it holds. A restart, a failover and a cluster's move of
-- the slot change it. The id of the process is not enough. A primary that became a replica
-- took over another one's data, and may be primary again without a restart; the replication id
-- shows that. A Redis without one is known by the process alone.
local function run_id()
  local server, data
  if redis.REDIS_VERSION_NUM then -- it exists from Redis 7.0 on, where one call answers both
    server = call('INFO', 'server', 'replication')
    data = server
  else
    server, data = call('INFO', 'server'), call('INFO', 'replication')
  end
  return line(server, 'run_id:') .. ':' .. (line(data, 'master_replid:') or '')
end
