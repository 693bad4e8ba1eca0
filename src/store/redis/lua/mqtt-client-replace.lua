-- Writes or removes what is kept of an MQTT client, unless that was changed meanwhile.
--
-- KEYS[1] the client's record (string: JSON)
-- ARGV[1] the record that was read; '' for none
-- ARGV[2] the record to keep; '' for none
-- ARGV[3] seconds it is kept
-- Returns 1 when it was done, 0 when the record is another one.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return 1
