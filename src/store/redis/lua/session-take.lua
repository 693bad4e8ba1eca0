-- Takes a session over: counts its epoch up and gives what its last connection has left.
--
-- KEYS[1] the session's epoch (string)
-- KEYS[2] the session's record (hash: username, expirySeconds, data)
-- ARGV[1] the username that takes it
-- ARGV[2] seconds both keys are kept while a connection has the session
-- Returns {epoch, data}; data is nil when there is no record, or another username's, which is dropped.

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stored = tonumber(redis.call('GET', KEYS[1]) or '') or 0

-- Never below the clock: so the epoch also grows after the data was lost.
local epoch = math.max(stored + 1, now_ms)
redis.call('SET', KEYS[1], string.format('%.0f', epoch), 'EX', ARGV[2])

local record = redis.call('HMGET', KEYS[2], 'username', 'data')
if record[1] ~= ARGV[1] then
  redis.call('DEL', KEYS[2])
  return { epoch, false }
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return { epoch, record[2] }
