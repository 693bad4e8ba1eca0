-- Notes on the gateway's side that an entry is about to be written on the room's side.
--
-- KEYS[1] the gateway's lease (string)
-- KEYS[2] the gateway's generation (string)
-- KEYS[3] the gateway's entries (hash: [room, instance] to generation)
-- ARGV[1] [room, instance] as JSON
-- ARGV[2] seconds the generation is kept
-- ARGV[3] 'leased': only when the lease lives; 'any': also without
-- Returns the generation to join in, or 0 when nothing was noted as there is no lease.

if ARGV[3] == 'leased' and redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local generation = tonumber(redis.call('GET', KEYS[2]) or '')
if not generation then
  local time = redis.call('TIME')
  generation = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local text = string.format('%.0f', generation)
redis.call('SET', KEYS[2], text, 'EX', ARGV[2])
redis.call('HSET', KEYS[3], ARGV[1], text)
return generation
