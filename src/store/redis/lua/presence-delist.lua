-- Forgets a gateway that has nothing left to reap, if it was not seen for long.
--
-- KEYS[1] the registry (sorted set: gateway by the time it was last seen, ms)
-- ARGV[1] the gateway
-- ARGV[2] how long it must not have been seen, ms
-- Returns 1 when it was forgotten, else 0.

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local seen_ms = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '')
if seen_ms and seen_ms < now_ms - tonumber(ARGV[2]) then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
