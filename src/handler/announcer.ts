import type { ConnectionAdapter } from "../adapter/adapter.js";
import { GatewayError } from "../errors.js";
import type { Logger } from "../logger.js";

/** Announcements that may wait while EMQX does not take them. */
const MAX_ANNOUNCEMENTS = 10_000;

export interface Announcer {
  announce(topic: string, payload: Uint8Array): void;
  drained(): Promise<void>;
}

/**
 * One after the other per topic, since EMQX may swap calls that are in flight together. At qos 0: one
 * that can't be made is logged, and the list of members is right anyway.
 */
export function createAnnouncer(adapter: ConnectionAdapter, logger: Logger): Announcer {
  const underWay = new Map<string, Promise<void>>();
  let waiting = 0;
  let supported = true;

  async function publish(topic: string, payload: Uint8Array): Promise<void> {
    if (!supported) return;
    try {
      await adapter.rawPublish(topic, 0, payload);
    } catch (error) {
      if (error instanceof GatewayError && error.code === "UNSUPPORTED") {
        supported = false;
        logger.warn({}, "EMQX has no RawPublish (before 5.1): presence events are not published");
      } else {
        logger.warn({ err: error, topic }, "a presence event was not published");
      }
    }
  }

  return {
    announce(topic, payload) {
      if (waiting >= MAX_ANNOUNCEMENTS) {
        logger.warn({ topic }, "a presence event was dropped: too many wait for EMQX");
        return;
      }
      waiting += 1;
      const before = underWay.get(topic) ?? Promise.resolve();
      const mine = before.then(() => publish(topic, payload));
      underWay.set(topic, mine);
      void mine.then(() => {
        waiting -= 1;
        if (underWay.get(topic) === mine) underWay.delete(topic);
      });
    },
    async drained() {
      await Promise.all(underWay.values());
    },
  };
}
