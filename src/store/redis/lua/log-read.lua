-- Reads entries of a log, oldest first, from an offset on.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- KEYS[3] the log's ids (hash: message id to 'epoch offset')
-- ARGV[1] what is known of the server: see open_log
-- ARGV[2] how long the meta is kept without an append, ms
-- ARGV[3] the first offset
-- ARGV[4] entries at most
-- ARGV[5] bytes of payload at most, but one entry
-- Returns {head as log-open gives it, entries as collect gives them}.

local log = open_log(KEYS, ARGV[1], ARGV[2])
local from = math.max(tonumber(ARGV[3]), log.first)
if from > log.last then
  return { head_of(log), {} }
end
return { head_of(log), collect('XRANGE', KEYS[2], int(from), '+', tonumber(ARGV[4]), tonumber(ARGV[5])) }
