-- Writes one entry of a room.
--
-- KEYS[1] the room's entries (hash: [gateway, instance] to entry JSON)
-- KEYS[2] the room's clients (hash: client to how many entries it has; a client is its id,
--         or protocol, NUL and id where it does not speak the chat protocol)
-- ARGV[1] [gateway, instance] as JSON
-- ARGV[2] the client, as in KEYS[2]
-- ARGV[3] the entry as JSON, with protocol, clientId and generation
-- Returns 1 when the client was not in the room before, else 0.

local function client_of(entry)
  if type(entry.protocol) == 'string' and entry.protocol ~= 'chat' then
    return entry.protocol .. '\0' .. entry.clientId
  end
  return entry.clientId
end

local function read(value)
  local ok, entry = pcall(cjson.decode, value)
  if ok and type(entry) == 'table' and type(entry.clientId) == 'string' and type(entry.generation) == 'number' then
    return entry
  end
end

local function forget_one(client)
  if redis.call('HINCRBY', KEYS[2], client, -1) <= 0 then
    redis.call('HDEL', KEYS[2], client)
  end
end

local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local entry = before and read(before)
if entry and client_of(entry) == ARGV[2] then
  return 0
end
if entry then
  forget_one(client_of(entry))
end
return redis.call('HINCRBY', KEYS[2], ARGV[2], 1) == 1 and 1 or 0
