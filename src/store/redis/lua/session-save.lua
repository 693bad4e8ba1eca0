-- Keeps a session's record, unless a newer epoch is known.
--
-- KEYS[1] the session's epoch (string)
-- KEYS[2] the session's record (hash: username, expirySeconds, data)
-- ARGV[1] the writer's epoch
-- ARGV[2] username
-- ARGV[3] seconds the record is kept after its connection is gone
-- ARGV[4] the record, as the store's JSON
-- ARGV[5] seconds both keys are kept while a connection has the session
-- Returns 1, or 0 when the writer is fenced off.

local stored = tonumber(redis.call('GET', KEYS[1]) or '') or 0
if stored > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[5])
redis.call('HSET', KEYS[2], 'username', ARGV[2], 'expirySeconds', ARGV[3], 'data', ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
