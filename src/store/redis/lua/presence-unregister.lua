-- Strikes entries off the gateway's side, once they are gone from the room's side.
--
-- KEYS[1] the gateway's entries (hash: [room, instance] to generation)
-- ARGV[1] only those of a generation below this one
-- ARGV[n] [room, instance] as JSON
-- Returns how many were struck off.

local limit = tonumber(ARGV[1])
local struck = 0
for i = 2, #ARGV do
  local generation = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '') or 0
  if generation < limit then
    struck = struck + redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return struck
