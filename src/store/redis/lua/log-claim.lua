-- Gives a consumer of the archive entries to take over: first those that another one has not confirmed
-- in time, then new ones.
--
-- KEYS[1] the log's stream
-- ARGV[1] the consumer
-- ARGV[2] entries at most
-- ARGV[3] how long an entry must not have been confirmed to be given anew, ms
-- ARGV[4] bytes of payload after which no more are given
-- Returns entries as collect gives them.

local found, count, bytes = {}, 0, 0
if not archive_of(KEYS[1]) then
  return found
end

local function add(entries)
  for _, entry in ipairs(entries) do
    -- Before Redis 7 one that was dropped comes without fields.
    if entry and entry[2] then
      bytes = bytes + #entry[2][16]
      count = count + 1
      fields_of(entry, offset_of(entry[1]), found)
    end
  end
end

local function wanted()
  return bytes < tonumber(ARGV[4]) and math.min(CHUNK, tonumber(ARGV[2]) - count) or 0
end

local cursor = '0-0'
repeat
  local limit = wanted()
  if limit > 0 then
    local claimed = redis.call('XAUTOCLAIM', KEYS[1], GROUP, ARGV[1], ARGV[3], cursor, 'COUNT', limit)
    cursor = claimed[1]
    add(claimed[2])
  end
until limit <= 0 or cursor == '0-0'

repeat
  local limit = wanted()
  local entries = {}
  if limit > 0 then
    local read = redis.call('XREADGROUP', 'GROUP', GROUP, ARGV[1], 'COUNT', limit, 'STREAMS', KEYS[1], '>')
    entries = read and read[1] and read[1][2] or {}
    add(entries)
  end
until #entries == 0
return found
