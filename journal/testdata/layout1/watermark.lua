-- watermark notes up to where the topics of results and decisions hold nothing that this
-- Redis hasn't known before (protocol E5). It never goes back.
-- ARGV: epoch, then field and offset of each partition.
for i = 2, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > tonumber(call('HGET', P .. 'watermark', ARGV[i]) or '-1') then
    call('HSET', P .. 'watermark', ARGV[i], ARGV[i + 1])
  end
end
return 1
