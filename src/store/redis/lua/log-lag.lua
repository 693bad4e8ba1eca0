-- Counts what the archive has not confirmed of a log.
--
-- KEYS[1] the log's meta (hash)
-- KEYS[2] the log's stream
-- Returns how many entries these are.

return unconfirmed(KEYS[1], KEYS[2])
