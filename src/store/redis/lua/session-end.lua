-- Ends an epoch: its connection is gone. The record is dropped, or kept for its expirySeconds.
--
-- KEYS[1] the session's epoch (string)
-- KEYS[2] the session's record (hash: username, expirySeconds, data)
-- ARGV[1] the epoch that ends
-- ARGV[2] 'keep' or 'drop' the record
-- ARGV[3] seconds the fence stays up, at least as long as the record
-- Returns 1, or 0 when the caller is fenced off.

local stored = tonumber(redis.call('GET', KEYS[1]) or '') or 0
local epoch = tonumber(ARGV[1])
if stored > epoch then
  return 0
end

local keep_seconds = 0
if ARGV[2] == 'keep' then
  keep_seconds = tonumber(redis.call('HGET', KEYS[2], 'expirySeconds') or '') or 0
end
if keep_seconds > 0 then
  redis.call('EXPIRE', KEYS[2], string.format('%.0f', keep_seconds))
else
  redis.call('DEL', KEYS[2])
end

-- One higher: a late write of the connection that is gone is refused too.
local fence_seconds = math.max(keep_seconds, tonumber(ARGV[3]))
redis.call('SET', KEYS[1], string.format('%.0f', epoch + 1), 'EX', string.format('%.0f', fence_seconds))
return 1
