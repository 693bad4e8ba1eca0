-- Waits for the message of a publication, unless it is in the log already.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- KEYS[3] the log's ids (hash: message id to 'epoch offset')
-- KEYS[4] the publication (hash: username; id, epoch, offset once it is settled)
-- KEYS[5] what waits for messages of its publisher and payload (list of names)
-- ARGV[1] what is known of the server: see open_log
-- ARGV[2] how long the meta is kept without an append, ms
-- ARGV[3] the publication's name in the list
-- ARGV[4] the publisher's username
-- ARGV[5] how long both are remembered, ms
-- ARGV[6] how many may wait; the oldest ones go first
-- Returns {id, epoch, offset} when it is in the log, else {}.

local log = open_log(KEYS, ARGV[1], ARGV[2])
local id, epoch, offset = settled_at(log, KEYS[4])
if id then
  return { id, epoch, offset }
end
redis.call('DEL', KEYS[4])
redis.call('HSET', KEYS[4], 'username', ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[5])
if not redis.call('LPOS', KEYS[5], ARGV[3]) then
  redis.call('RPUSH', KEYS[5], ARGV[3])
  redis.call('LTRIM', KEYS[5], -tonumber(ARGV[6]), -1)
end
redis.call('PEXPIRE', KEYS[5], ARGV[5])
return {}
