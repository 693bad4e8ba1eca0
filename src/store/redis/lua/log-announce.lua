-- Waits for the message of a publication, unless it is in the log already.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- KEYS[3] the log's ids (hash: message id to 'epoch offset')
-- KEYS[4] the publication (hash: username; id, epoch, offset once it is settled)
-- KEYS[5] what waits for messages of its publisher and payload (list of names)
-- ARGV[1] what is known of the server: see open_log
-- ARGV[2] how long the meta is kept without an append, ms
-- ARGV[3] the log's epoch, as the caller knows it
-- ARGV[4] the publication's name in the list
-- ARGV[5] the publisher's username
-- ARGV[6] how long both are remembered, ms
-- ARGV[7] how many may wait; the oldest ones go first
-- ARGV[8] the id of its message, of one that is put back; else ''
-- Returns {id, epoch, offset} when it is in the log, else {}; OTHER_EPOCH.

local log = open_log(KEYS, ARGV[1], ARGV[2])
if is_other(log, ARGV[3]) then
  return OTHER_EPOCH
end
-- One that is put back was settled, and is not waited for.
if ARGV[8] ~= '' then
  redis.call('LREM', KEYS[5], 0, ARGV[4])
end
local id, epoch, offset = settled_at(log, KEYS[4])
if id then
  return { id, epoch, offset }
end
redis.call('DEL', KEYS[4])
redis.call('HSET', KEYS[4], 'username', ARGV[5])
redis.call('PEXPIRE', KEYS[4], ARGV[6])
local place = ARGV[8] ~= '' and redis.call('HGET', KEYS[3], ARGV[8])
if place then
  epoch, offset = string.match(place, '^(%d+) (%d+)$')
  redis.call('HSET', KEYS[4], 'id', ARGV[8], 'epoch', epoch, 'offset', offset)
  return { ARGV[8], tonumber(epoch), tonumber(offset) }
end
if not redis.call('LPOS', KEYS[5], ARGV[4]) then
  redis.call('RPUSH', KEYS[5], ARGV[4])
  redis.call('LTRIM', KEYS[5], -tonumber(ARGV[7]), -1)
end
redis.call('PEXPIRE', KEYS[5], ARGV[6])
return {}
