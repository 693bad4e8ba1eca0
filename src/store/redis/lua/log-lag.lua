-- Counts what the archive has not confirmed of a log.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- Returns how many entries these are.

local archive = archive_of(KEYS[2])
if not archive then
  return 0
end
local last = tonumber(redis.call('HGET', KEYS[1], 'last') or 0)
return math.max(last - archive.given, 0) + archive.pending
