-- Ends a gateway's generation, so that its entries can be removed without harm to those it joins later.
--
-- KEYS[1] the gateway's lease (string)
-- KEYS[2] the gateway's generation (string)
-- ARGV[1] 'lapsed': only when the lease has run out; 'any': gives the lease up
-- ARGV[2] seconds the generation is kept
-- Returns the new generation: entries of older ones may go; nil when the lease lives.

if ARGV[1] == 'lapsed' and redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
redis.call('DEL', KEYS[1])

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local generation = math.max((tonumber(redis.call('GET', KEYS[2]) or '') or 0) + 1, now_ms)
redis.call('SET', KEYS[2], string.format('%.0f', generation), 'EX', ARGV[2])
return generation
