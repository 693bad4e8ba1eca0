/**
 * Messages on their way to the handler: what is delivered in one turn goes out in one call, once
 * hooks have been told of it.
 */
import type { BrokerMessage } from "./broker/broker.js";
import type { HookPoints } from "./hook-points.js";

export interface Deliveries {
  push(message: BrokerMessage): void;
  /** Drops what waits, and whatever is still to come. */
  drop(): void;
  /** What waits for hooks, in bytes of payload. */
  readonly waitingBytes: number;
}

/** The most messages that one call brings. */
const MAX_BATCH = 101;

/** @param send takes a batch that hooks have been told of. */
export function createDeliveries(
  hooks: HookPoints,
  send: (batch: readonly BrokerMessage[]) => void,
): Deliveries {
  let waiting: BrokerMessage[] = [];
  let waitingBytes = 0;
  let isOver = false;

  async function flush(): Promise<void> {
    const messages = waiting;
    waiting = [];
    for (const message of messages) {
      if (isOver) return;
      await hooks.delivered(message);
      waitingBytes -= message.payload.length;
    }
    for (let at = 0; at < messages.length && !isOver; at += MAX_BATCH) {
      send(messages.slice(at, at + MAX_BATCH));
    }
  }

  return {
    push(message) {
      if (isOver) return;
      waitingBytes += message.payload.length;
      if (waiting.push(message) === 1) setImmediate(() => void hooks.line.run(flush));
    },
    drop() {
      isOver = true;
      waiting = [];
      waitingBytes = 0;
    },
    get waitingBytes() {
      return waitingBytes;
    },
  };
}
