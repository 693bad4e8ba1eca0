-- Makes a topic known to the archive, before anything is appended to its log.
--
-- KEYS[1] the registry (sorted set: topic by when it was last appended to, ms)
-- ARGV[1] the topic
-- Returns 1.

redis.call('ZADD', KEYS[1], int(now_ms()), ARGV[1])
return 1
