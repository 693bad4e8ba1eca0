-- Notes that the archive has entries. When it has them all, the log may end again.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- KEYS[3] the log's ids (hash: message id to 'epoch offset')
-- ARGV[1] how long the meta is kept without an append, ms
-- ARGV[2] how long an entry is kept, ms
-- ARGV[n] offsets
-- Returns how many entries are still to be confirmed.

if not archive_of(KEYS[2]) then
  return 0
end
for i = 3, #ARGV do
  redis.call('XACK', KEYS[2], GROUP, ARGV[i] .. '-0')
end
local left = unconfirmed(KEYS[1], KEYS[2])
if left == 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  redis.call('PEXPIRE', KEYS[3], ARGV[2])
end
return left
