-- Reads entries of a log, newest first, back from an offset or a message.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- KEYS[3] the log's ids (hash: message id to 'epoch offset')
-- ARGV[1] what is known of the server: see open_log
-- ARGV[2] how long the meta is kept without an append, ms
-- ARGV[3] 'offset' or 'id': what the next one is; 'newest': there is none
-- ARGV[4] the offset or message id before which to read
-- ARGV[5] entries at most
-- ARGV[6] bytes of payload at most, but one entry
-- Returns {head as log-open gives it, entries as collect gives them, 0 when the id is not known, else 1}.

local log = open_log(KEYS, ARGV[1], ARGV[2])
local before = log.last + 1
if ARGV[3] == 'offset' then
  before = math.min(before, tonumber(ARGV[4]))
elseif ARGV[3] == 'id' then
  local known = redis.call('HGET', KEYS[3], ARGV[4])
  if not known then
    return { head_of(log), {}, 0 }
  end
  before = tonumber(string.match(known, '%d+$'))
end
if before <= log.first then
  return { head_of(log), {}, 1 }
end
local entries = collect('XREVRANGE', KEYS[2], int(before - 1), '-', tonumber(ARGV[5]), tonumber(ARGV[6]))
return { head_of(log), entries, 1 }
