-- rehearsal uses each command that the scripts use, once, on keys of its own that are gone
-- when it ends. It finds out what this Redis lacks, or refuses inside of scripts.
-- KEYS: as the journal's, the beginning of all names of a slot, and a name that doesn't exist.
-- ARGV: the commands, each with its words one a line; "~" stands for the beginning of the
-- rehearsal's own names.
-- Answer: what was refused, command and error by turns. An error outside of pcall is the caller's.
local refused = {}
for _, line in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(line, '[^\n]+') do
    words[#words + 1] = string.gsub(word, '^~', KEYS[1] .. 'rehearsal:')
  end
  local answer = redis.pcall(unpack(words))
  local err = type(answer) == 'table' and answer['err']
  -- A server that doesn't name itself can't be told from one that was restarted.
  if not err and line == 'INFO\nserver' and not string.find(answer, 'run_id:%x') then err = 'it tells no run_id' end
  if err then
    refused[#refused + 1] = line
    refused[#refused + 1] = err
  end
end
return refused
