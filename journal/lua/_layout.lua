-- The layout that all scripts share. KEYS[1] is the shard's prefix, "namespace:{shard}:";
-- all keys of a shard carry its hash tag, so that a script touches one slot. KEYS[2] holds
-- nothing either: see runAs.
-- ARGV[1] is the id of the epoch that the caller believes in, or is building.
--
-- A record is one string: a head of fixed width, which these scripts read and
-- overwrite in place, then four lines: the merchant, the batch id, what the command said,
-- and what has become of it. The last two are JSON, which only Go reads. One string
-- instead of a hash of fields saves memory. Go's side of the layout is record.go.
--
-- The first letter is the layout's version. It stands in the epoch too: who knows another
-- version never joins, so the scripts meet no other record; one that they do is refused.
local P = KEYS[1]

-- A global costs a lookup each time, and a call makes tens of thousands.
local sub, find, format, call = string.sub, string.find, string.format, redis.call

local LAYOUT = '2'
local STATE, STEP = 2, 3
local TOKEN_FROM, TOKEN_TO = 4, 15
local LEASE_END_FROM, LEASE_END_TO = 16, 28
local FINGERPRINT_FROM, FINGERPRINT_TO = 29, 44
local EXPIRES_FROM, EXPIRES_TO = 45, 57
local SENDS_FROM, SENDS_TO = 58, 59
local SENT_FROM, SENT_TO = 60, 72
local ACCOUNT_FROM, ACCOUNT_TO = 86, 93 -- to which account of the provider it was sent
local FLAGS_FROM, FLAGS_TO = 94, 97 -- the first: see OWN_END; the others are free
local PARTITION_FROM, PARTITION_TO = 98, 103
local HEAD = 132 -- the offset and the time of the command stand last

-- The flag of an end by our own word. The log has to vouch for it.
local OWN_END, NO_FLAG, NO_FLAGS = 'o', '-', '----'

-- Stands where no account is known, and where a payout was sent to several.
local NO_ACCOUNT, SEVERAL_ACCOUNTS = '--------', '????????'

-- Stands for the partition of a record without content: a replay knows of the payout
-- only that it was decided to be sent, or how it ended (protocol E6).
local NO_PARTITION = 999999
local NO_PLACE = format('%06d', NO_PARTITION) .. string.rep('0', HEAD - PARTITION_TO)

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- By how much Redis' clock may go back behind what it has shown, and ahead of what an
-- instance's own clock has vouched for, in ms (protocol E11). A minute back does no harm:
-- leases and pauses last longer, and recall looks into later generations. An hour ahead
-- shortens the memory by no more than that.
local CLOCK_BACK, CLOCK_AHEAD = 60000, 3600000

-- stamp writes milliseconds with the 13 digits that the head has room for. A call stamps
-- hundreds of payouts with the same few times, and formatting costs as much as a command.
local stamps = {}
local function stamp(ms)
  local text = stamps[ms]
  if not text then
    text = format('%013.0f', math.min(math.max(ms, 0), 9999999999999))
    stamps[ms] = text
  end
  return text
end

-- foreign tells that a record is of another layout. None should be met: see above. What it
-- says can't be read, so it is neither changed nor taken for something.
local function foreign(record) return sub(record, 1, 1) ~= LAYOUT end
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
local function merchant_of(record)
  return sub(record, HEAD + 1, find(record, '\n', HEAD + 1, true) - 1)
end
-- command_of answers where the lines begin and end that the command has filled in: the
-- newline after the merchant, and the one after what the command said.
local function command_of(record)
  local first = find(record, '\n', HEAD + 1, true)
  return first, find(record, '\n', find(record, '\n', first + 1, true) + 1, true)
end
-- splice takes the head and what became of it from one record, and what its command
-- said, its expiry and where it stands, from another. The merchant's lane is the given
-- one: sets and counts are kept under it.
local function splice(became, said, merchant)
  local first, last = command_of(said)
  local _, before = command_of(became)
  return sub(became, 1, EXPIRES_FROM - 1) .. sub(said, EXPIRES_FROM, EXPIRES_TO) .. sub(became, EXPIRES_TO + 1, PARTITION_FROM - 1)
    .. sub(said, PARTITION_FROM, HEAD) .. merchant .. sub(said, first, last) .. sub(became, before + 1)
end

-- accounts_of joins what is known of the accounts of earlier sends and of another one.
local function accounts_of(earlier, later)
  if earlier == later then return earlier end
  if earlier == NO_ACCOUNT or later == NO_ACCOUNT then return NO_ACCOUNT end
  return SEVERAL_ACCOUNTS
end

-- due_set names the sorted set in which a payout waits for a step. Sends and asks
-- wait per merchant, so that one merchant's outage never hides another's work.
-- The names are made once a call: hundreds of payouts wait in the same few sets.
local due_sets, open_sets = {}, {}
local function due_set(step, merchant)
  if step ~= 's' and step ~= 'a' then merchant = '' end
  local names = due_sets[step]
  if not names then names = {}; due_sets[step] = names end
  local name = names[merchant]
  if not name then
    name = P .. 'due:' .. step
    if step == 's' or step == 'a' then name = name .. ':' .. merchant end
    names[merchant] = name
  end
  return name
end

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

-- Counts of open payouts by merchant and state are kept per call and written at its
-- end, one command for each that changed.
local changed = {}
local function count(merchant, state, by)
  local states = changed[merchant]
  if not states then states = {}; changed[merchant] = states end
  states[state] = (states[state] or 0) + by
end
local function write_counts()
  for merchant, states in pairs(changed) do
    for state, by in pairs(states) do
      if by ~= 0 then call('HINCRBY', P .. 'count', merchant .. '\n' .. state, by) end
    end
  end
end

-- line answers what stands behind a name up to the line's end, nil if nothing does. To match
-- a pattern takes longer than INFO itself.
local function line(text, name)
  local _, last = find(text, name, 1, true)
  local value = last and sub(text, last + 1, find(text, '\r', last, true) - 1)
  return value ~= '' and value or nil
end

-- run_id is this server's own and of what it holds: a restart, a failover and a cluster's
-- move change it. The process' own id is not enough: a primary that was made a replica took
-- over what another one knew, and may be a primary again without having been restarted. Its
-- replication id tells (a Redis that has none is believed by the first one alone).
local function run_id()
  local data = line(call('INFO', 'replication'), 'master_replid:') or ''
  return line(call('INFO', 'server'), 'run_id:') .. ':' .. data
end
