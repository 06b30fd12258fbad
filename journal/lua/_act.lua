-- _act is an action that is carried out once (protocol A5): what everybody must agree on stands under its id.
-- ARGV[2] is the id. Fields:
--  - epoch: in which all the others were written
--  - until: when it is too late to begin, by Redis' clock ('' for never)
--  - token, lease: of the instance that is at it, and when its claim ends
--  - made: '1' from the point of no return on
--  - note: how far that instance is, as Go writes it
--  - mark, said, marked: what became of it, in which words, and when
--  - told: '1' once that stands in Kafka
--  - of: the payout that ended by it, once that is made
--  - touched: how many payouts ended by it, of a batch's cancel; their tradeNos stand in a set under its key and ':touched'
--  - decided: the id of the epoch whose replay found a decision that bears the action's id
local ACT = P .. 'act:' .. ARGV[2]
local act = {}
for i, value in ipairs(call('HMGET', ACT, 'epoch', 'until', 'token', 'lease', 'made', 'note', 'mark', 'said', 'marked', 'told', 'decided', 'touched', 'of')) do
  act[i] = value or ''
end
local act_epoch, act_until, act_token, act_lease, act_made = act[1], act[2], act[3], tonumber(act[4]) or 0, act[5] == '1'
local act_mark = act[7]

-- holds tells that the caller may still go on: nobody else has taken the action over, and nothing is marked.
local function holds(token) return act_epoch == ARGV[1] and act_token == token and act_mark == '' end

-- may_begin tells that the point of no return may be passed, or was.
local function may_begin() return act_made or act_until == '' or now < tonumber(act_until) end
