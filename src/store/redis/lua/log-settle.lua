-- Gives where a publication is, and no longer waits for it when it is in the log.
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
-- Returns {id, epoch, offset} when it is in the log, else {}; OTHER_EPOCH.

local log = open_log(KEYS, ARGV[1], ARGV[2])
if is_other(log, ARGV[3]) then
  return OTHER_EPOCH
end
local id, epoch, offset = settled_at(log, KEYS[4])
if not id then
  return {}
end
redis.call('LREM', KEYS[5], 0, ARGV[4])
return { id, epoch, offset }
