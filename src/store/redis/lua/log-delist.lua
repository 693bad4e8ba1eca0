-- Forgets a topic of which the archive has all, unless it may have been appended to meanwhile.
--
-- KEYS[1] the registry (sorted set: topic by when it was last appended to, ms)
-- ARGV[1] the topic
-- ARGV[2] how long it must not have been made known again, ms
-- Returns 1 when it was forgotten, else 0.

local known_ms = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '')
if known_ms and known_ms < now_ms() - tonumber(ARGV[2]) then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
