/**
 * What the clients of this process have published lately. A client id is unique within EMQX's
 * gateway only: an MQTT client may bear the same one, and be someone else. So a message is taken to
 * be a chat client's own when that client has published just that, and not by its sender's id alone.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../clock.js";
import type { BrokerMessage } from "../protocol.js";

export interface Publications {
  /** To be called before it is published. */
  note(clientId: string, username: string, topic: string, payload: Uint8Array): void;
  /** The publisher's username, where the message was published through here. */
  publisherOf(message: Pick<BrokerMessage, "from" | "topic" | "payload">): string | undefined;
}

/** A publication is remembered for one to two of these; deliveries take milliseconds. */
const GENERATION_MS = 30_000;
const MAX_GENERATION = 100_000;

export function createPublications(clock: Clock): Publications {
  let fresh = new Map<string, string>();
  let old = new Map<string, string>();
  let since = clock.now();

  function age(): void {
    const now = clock.now();
    if (now - since < GENERATION_MS && fresh.size < MAX_GENERATION) return;
    old = fresh;
    fresh = new Map();
    since = now;
  }

  const keyOf = (from: string, topic: string, payload: Uint8Array) =>
    `${from} ${topic} ${createHash("sha1").update(payload).digest("base64")}`;

  return {
    note(clientId, username, topic, payload) {
      age();
      fresh.set(keyOf(clientId, topic, payload), username);
    },
    publisherOf({ from, topic, payload }) {
      age();
      const key = keyOf(from, topic, payload);
      return fresh.get(key) ?? old.get(key);
    },
  };
}
