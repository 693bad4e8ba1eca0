-- Removes entries of a room.
--
-- KEYS[1] the room's entries (hash: [gateway, instance] to entry JSON)
-- KEYS[2] the room's clients (hash: client to how many entries it has; a client is its id,
--         or protocol, NUL and id where it does not speak the chat protocol)
-- ARGV[1] only entries of a generation below this one; '' for any
-- ARGV[n] [gateway, instance] as JSON
-- Returns {field, entry JSON, field, entry JSON, …} of those by whose removal a client left the room.

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

local limit = tonumber(ARGV[1]) or math.huge
local departed = {}
for i = 2, #ARGV do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  local entry = value and read(value)
  if value and not (entry and entry.generation >= limit) then
    redis.call('HDEL', KEYS[1], ARGV[i])
    if entry and redis.call('HINCRBY', KEYS[2], client_of(entry), -1) <= 0 then
      redis.call('HDEL', KEYS[2], client_of(entry))
      departed[#departed + 1] = ARGV[i]
      departed[#departed + 1] = value
    end
  end
end
return departed
