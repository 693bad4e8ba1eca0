-- Gives a log's head, and makes the log when there is none.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- KEYS[3] the log's ids (hash: message id to offset)
-- ARGV[1] what is known of the server: see open_log
-- ARGV[2] how long the meta is kept without an append, ms
-- Returns {epoch, first, last, epochs as 'epoch:since …'}.

local log = open_log(KEYS, ARGV[1], ARGV[2])
-- Without an end: the archive has not taken all over.
if redis.call('PTTL', KEYS[1]) > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return head_of(log)
