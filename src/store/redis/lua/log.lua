-- What the scripts of a log share: it stands before each of them. `keys` are a log's meta, stream and
-- ids; `log` is what its meta says.
--
-- An entry is XADDed as <offset>-0, with these fields and in this order: id, from, user, proto, qos,
-- ts, epoch, data.

local GROUP = 'archive'
local MAX_EPOCHS = 8
local CHUNK = 32

local function int(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function offset_of(stream_id)
  return tonumber(string.match(stream_id, '^%d+'))
end

-- A replica that became the primary: it may lack what the one before it had on its disk.
local function is_promoted()
  return not string.match(redis.call('INFO', 'replication'), 'master_replid2:0+%s')
end

local function text_of(epochs)
  local texts = {}
  for i, one in ipairs(epochs) do
    texts[i] = int(one[1]) .. ':' .. int(one[2])
  end
  return table.concat(texts, ' ')
end

local function begin_epoch(keys, log, since)
  log.epoch = math.max(log.epoch + 1, now_ms())
  log.epochs[#log.epochs + 1] = { log.epoch, since }
  if #log.epochs > MAX_EPOCHS then
    table.remove(log.epochs, 1)
  end
  log.texts = text_of(log.epochs)
  redis.call('HSET', keys[1], 'epoch', int(log.epoch), 'epochs', log.texts, 'last', int(log.last))
end

-- Reads the log's meta. Begins a new epoch when the log was lost, and when this is another run of the
-- server than the one that wrote last, unless that one had every write on its disk before it answered.
-- `told` is "<run id> 1" where this run is known to do so, "<run id> 0" where it is known not to, else ''.
local function open_log(keys, told, kept_ms)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
  local told_run, told_safe = string.match(told, '^(%x+) ([01])$')
  if told_run ~= run then
    told_safe = nil
  end
  local meta = redis.call('HMGET', keys[1], 'epoch', 'last', 'first', 'firstTs', 'epochs', 'run', 'safe')
  local log = {
    epoch = tonumber(meta[1] or 0),
    last = tonumber(meta[2] or 0),
    first = tonumber(meta[3] or 1),
    first_ts = tonumber(meta[4] or 0),
    epochs = {},
    texts = meta[5] or '',
  }
  for epoch, since in string.gmatch(log.texts, '(%d+):(%d+)') do
    log.epochs[#log.epochs + 1] = { tonumber(epoch), tonumber(since) }
  end
  if not meta[1] then
    redis.call('DEL', keys[2], keys[3])
    begin_epoch(keys, log, 1)
    redis.call('HSET', keys[1], 'run', run, 'safe', told_safe or '')
    redis.call('PEXPIRE', keys[1], kept_ms)
  elseif meta[6] ~= run then
    if meta[7] ~= '1' or is_promoted() then
      begin_epoch(keys, log, log.last + 1)
    end
    redis.call('HSET', keys[1], 'run', run, 'safe', told_safe or '')
  elseif told_safe and meta[7] ~= told_safe and meta[7] ~= '0' then
    redis.call('HSET', keys[1], 'safe', told_safe)
  end
  if redis.call('EXISTS', keys[2]) == 0 then
    log.first = log.last + 1
  end
  return log
end

-- What a script answers that was to run in another epoch than the log's, and so has done nothing.
local OTHER_EPOCH = { 0 }

local function is_other(log, expected)
  return expected ~= int(log.epoch)
end

local function head_of(log)
  return { log.epoch, log.first, log.last, log.texts }
end

-- Whether an entry of that epoch is in the log, or was until it was trimmed. It is not when a later
-- epoch began at or below it.
local function is_in(log, epoch, offset)
  for i, one in ipairs(log.epochs) do
    if one[1] == epoch then
      local later = log.epochs[i + 1]
      return not later or offset < later[2]
    end
  end
  return false
end

-- Where a publication has gone: its message's id, epoch and offset; nil when it is not in the log.
local function settled_at(log, key)
  local kept = redis.call('HMGET', key, 'id', 'epoch', 'offset')
  if kept[1] and is_in(log, tonumber(kept[2]), tonumber(kept[3])) then
    return kept[1], tonumber(kept[2]), tonumber(kept[3])
  end
end

local function fields_of(entry, offset, into)
  local fields = entry[2]
  into[#into + 1] = int(offset)
  for i = 2, #fields, 2 do
    into[#into + 1] = fields[i]
  end
end

-- Entries between two offsets, oldest first (XRANGE) or newest first (XREVRANGE): at most `limit`, and
-- `max_bytes` of payload but one; flat, 9 values each: the offset, then the fields' values.
local function collect(command, stream, from, to, limit, max_bytes)
  local found, count, bytes = {}, 0, 0
  while count < limit do
    local wanted = math.min(CHUNK, limit - count)
    local chunk = redis.call(command, stream, from, to, 'COUNT', wanted)
    local offset
    for _, entry in ipairs(chunk) do
      bytes = bytes + #entry[2][16]
      if bytes > max_bytes and count > 0 then
        return found
      end
      offset = offset_of(entry[1])
      fields_of(entry, offset, found)
      count = count + 1
    end
    if #chunk < wanted then
      return found
    end
    from = command == 'XRANGE' and int(offset + 1) or int(offset - 1)
  end
  return found
end

-- The archive's group: up to where it was given the entries, how many of these it has not confirmed,
-- and up to where it has confirmed them all; nil when there is none.
local function archive_of(stream)
  if redis.call('EXISTS', stream) == 0 then
    return nil
  end
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #info, 2 do
      group[info[i]] = info[i + 1]
    end
    if group.name == GROUP then
      local given = offset_of(group['last-delivered-id'])
      if group.pending == 0 then
        return { given = given, pending = 0, confirmed = given }
      end
      local lowest = redis.call('XPENDING', stream, GROUP)[2]
      return { given = given, pending = group.pending, confirmed = offset_of(lowest) - 1 }
    end
  end
  return nil
end

-- How many entries the archive has not confirmed. Those that are gone were never given to it, or are in it.
local function unconfirmed(meta, stream)
  local archive = archive_of(stream)
  if not archive then
    return 0
  end
  local kept = redis.call('HMGET', meta, 'last', 'first')
  local given = math.max(archive.given, tonumber(kept[2] or 1) - 1)
  return math.max(tonumber(kept[1] or 0) - given, 0) + archive.pending
end
