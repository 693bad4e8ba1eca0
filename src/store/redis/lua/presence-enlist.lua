-- Makes a gateway known to whoever reaps, before it has anything to reap.
--
-- KEYS[1] the registry (sorted set: gateway by the time it was last seen, ms)
-- ARGV[1] the gateway
-- Returns 1.

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now_ms), ARGV[1])
return 1
