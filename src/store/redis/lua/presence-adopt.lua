-- Notes entries that were found in a room and that their (dead) gateway's side does not know.
--
-- KEYS[1] the gateway's entries (hash: [room, instance] to generation)
-- ARGV[n] [room, instance] as JSON
-- Returns how many were unknown.

local unknown = 0
for i = 1, #ARGV do
  unknown = unknown + redis.call('HSETNX', KEYS[1], ARGV[i], '0')
end
return unknown
