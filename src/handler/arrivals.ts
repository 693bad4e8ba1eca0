/**
 * What EMQX delivers to one connection, on its way through the rooms' logs: each message gets its
 * place, and the order stays.
 */
import type { RoomLogs } from "../log/index.js";
import type { BrokerMessage } from "../protocol.js";

export interface Arrivals {
  put(messages: readonly BrokerMessage[]): void;
  /** Bytes of payload that wait for their place. */
  readonly pendingBytes: number;
}

type Messages = readonly BrokerMessage[];

export function createArrivals(
  log: Pick<RoomLogs, "locate">,
  deliver: (messages: Messages) => void,
): Arrivals {
  let underWay: Promise<void> | undefined;
  let pendingBytes = 0;

  async function pass(messages: Messages, locating: () => Promise<Messages>): Promise<void> {
    const bytes = messages.reduce((sum, { payload }) => sum + payload.length, 0);
    pendingBytes += bytes;
    const located = await locating();
    pendingBytes -= bytes;
    deliver(located);
  }

  return {
    put(messages) {
      const before = underWay;
      const located = before === undefined ? log.locate(messages) : undefined;
      if (located !== undefined && !(located instanceof Promise)) {
        deliver(located);
        return;
      }
      const mine = pass(messages, async () => {
        await before;
        return located ?? log.locate(messages);
      });
      underWay = mine;
      void mine.then(() => {
        if (underWay === mine) underWay = undefined;
      });
    },
    get pendingBytes() {
      return pendingBytes;
    },
  };
}
