-- The archive of what was said. For PostgreSQL 13 and newer, and for PGlite. Sent as one query, which is
-- one transaction: a BEGIN of its own would stay open after an error. Its last statement's index tells
-- that it was applied.

-- Of several processes that start at once, one goes first: IF NOT EXISTS alone lets two of them collide.
SELECT pg_advisory_xact_lock(7310586172104411);

-- Text is escaped: a backslash is doubled, control characters and lone surrogates are \uXXXX.
CREATE TABLE IF NOT EXISTS exproto_messages (
  -- The topic; one of over 256 bytes is \# and the hex SHA-256 of it, and stands in long_topic.
  topic        text COLLATE "C" NOT NULL,
  -- The message's place in the topic's log: by both columns the messages of a topic are in order.
  log_epoch    bigint NOT NULL,
  log_offset   bigint NOT NULL,
  -- The broker's; a long one as with the topic.
  message_id   text COLLATE "C" NOT NULL,
  -- The publisher's client id, user name (empty: not known) and protocol (empty: not known).
  publisher    text NOT NULL,
  username     text NOT NULL,
  protocol     text NOT NULL,
  qos          integer NOT NULL,
  -- Milliseconds since 1970.
  timestamp_ms bigint NOT NULL,
  payload      bytea NOT NULL,
  long_topic   text,
  long_id      text,
  PRIMARY KEY (topic, log_epoch, log_offset),
  UNIQUE (topic, message_id)
);

CREATE INDEX IF NOT EXISTS exproto_messages_by_time ON exproto_messages (topic, timestamp_ms);
