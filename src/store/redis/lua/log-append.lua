-- Appends messages of one topic, in order, and drops what is over.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- KEYS[3] the log's ids (hash: message id to 'epoch offset')
-- KEYS[4] what the keys of this topic's publications begin with
-- ARGV[1] what is known of the server: see open_log
-- ARGV[2] how long the meta is kept without an append, ms
-- ARGV[3] the log's epoch, as the caller knows it
-- ARGV[4] entries kept
-- ARGV[5] how long an entry is kept, ms
-- ARGV[6] '1' when there is an archive
-- ARGV[n] and 8 more, a message: id, from, username, protocol, QoS, timestamp, payload; the name of
--         the waiting list that it may settle a publication of, '' when it can't; and, of one that is
--         put back, 'epoch offset' as they were, else ''
-- Returns {epoch, offset, 1 when repeated, epoch, …}, three numbers a message; OTHER_EPOCH.

local FIRST = 7
local WIDTH = 9
local MAX_TRIMMED = 1000

local log = open_log(KEYS, ARGV[1], ARGV[2])
if is_other(log, ARGV[3]) then
  return OTHER_EPOCH
end
local has_archive = ARGV[6] == '1'
local before = log.last
local answer = {}

local function push(epoch, offset, repeated)
  answer[#answer + 1] = epoch
  answer[#answer + 1] = offset
  answer[#answer + 1] = repeated
end

-- The first publication of the list that is not settled yet, and its username; else where one is that
-- was: the message of this id itself before any other.
local function fit(list, id)
  local open, username, settled
  for _, name in ipairs(redis.call('LRANGE', list, 0, -1)) do
    local key = KEYS[4] .. 'k:' .. name
    local announced_by = redis.call('HGET', key, 'username')
    local settled_id, epoch, offset = settled_at(log, key)
    if settled_id == id then
      return nil, nil, { epoch, offset, 0 }
    elseif settled_id then
      settled = settled or { epoch, offset, 1 }
    elseif announced_by and not open then
      open, username = key, announced_by
    elseif not announced_by then
      redis.call('LREM', list, 0, name)
    end
  end
  if open then
    return open, username, nil
  end
  return nil, nil, settled
end

-- The epoch of an entry that is put back, when its old place is still free: the later epochs, without an
-- entry so far, begin behind it then.
local function old_epoch(was)
  local epoch, offset = string.match(was, '^(%d+) (%d+)$')
  if tonumber(offset) ~= log.last + 1 then
    return nil
  end
  local later
  for _, one in ipairs(log.epochs) do
    if later and one[2] ~= log.last + 1 then
      return nil
    elseif later then
      later[#later + 1] = one
    elseif one[1] == tonumber(epoch) then
      later = {}
    end
  end
  if not later then
    return nil
  end
  for _, one in ipairs(later) do
    one[2] = one[2] + 1
  end
  return tonumber(epoch)
end

local function append(i)
  local id, username, protocol, list = ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 7]
  local known = redis.call('HGET', KEYS[3], id)
  if known then
    local epoch, offset = string.match(known, '^(%d+) (%d+)$')
    return push(tonumber(epoch), tonumber(offset), 0)
  end
  local publication
  if list ~= '' then
    local announced_by, settled
    publication, announced_by, settled = fit(KEYS[4] .. 'w:' .. list, id)
    if settled then
      return push(settled[1], settled[2], settled[3])
    elseif publication then
      username, protocol = announced_by, 'exproto'
    end
  end
  local epoch_number = ARGV[i + 8] ~= '' and old_epoch(ARGV[i + 8]) or log.epoch
  log.last = log.last + 1
  local epoch, offset = int(epoch_number), int(log.last)
  redis.call('XADD', KEYS[2], offset .. '-0', 'id', id, 'from', ARGV[i + 1], 'user', username, 'proto', protocol,
    'qos', ARGV[i + 4], 'ts', ARGV[i + 5], 'epoch', epoch, 'data', ARGV[i + 6])
  redis.call('HSET', KEYS[3], id, epoch .. ' ' .. offset)
  if log.first == log.last then
    log.first_ts = tonumber(ARGV[i + 5])
  end
  if publication then
    redis.call('HSET', publication, 'id', id, 'epoch', epoch, 'offset', offset)
  end
  return push(epoch_number, log.last, 0)
end

-- The count is over up to `over`; age takes none of the entries of this call, and both none that the
-- archive has not confirmed.
local function trim(over)
  local oldest = now_ms() - tonumber(ARGV[5])
  if log.first > log.last or (log.first > over and log.first_ts >= oldest) then
    return
  end
  local stop = math.min(log.last, log.first + MAX_TRIMMED - 1)
  if has_archive then
    stop = math.min(stop, archive_of(KEYS[2]).confirmed)
  end
  local first = log.first
  local is_over = first <= stop
  -- Mostly one entry is over, and the next one's timestamp is needed.
  local wanted = 2
  while is_over do
    local chunk = redis.call('XRANGE', KEYS[2], int(log.first), '+', 'COUNT', wanted)
    is_over = #chunk == wanted
    wanted = math.min(2 * wanted, CHUNK)
    for _, entry in ipairs(chunk) do
      local offset, timestamp = offset_of(entry[1]), tonumber(entry[2][12])
      log.first_ts = timestamp
      if offset > stop or (offset > over and (timestamp >= oldest or offset > before)) then
        is_over = false
        break
      end
      redis.call('HDEL', KEYS[3], entry[2][2])
      log.first = offset + 1
    end
  end
  if log.first > first then
    redis.call('XTRIM', KEYS[2], 'MINID', int(log.first))
  end
end

if has_archive and not archive_of(KEYS[2]) then
  redis.call('XGROUP', 'CREATE', KEYS[2], GROUP, '0', 'MKSTREAM')
end
for i = FIRST, #ARGV, WIDTH do
  append(i)
end
trim(log.last - tonumber(ARGV[4]))

redis.call('HSET', KEYS[1], 'last', int(log.last), 'first', int(log.first), 'firstTs', int(log.first_ts),
  'epochs', text_of(log.epochs))
if not has_archive then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
elseif log.last > before then
  -- log-confirm lets them end again.
  for i = 1, 3 do
    redis.call('PERSIST', KEYS[i])
  end
end
return answer
