/**
 * Appends messages to their logs: in order a topic, what gathers while a call is in flight as one.
 * While the store is away they wait here, within bounds, and nobody waits for them.
 */
import type { Clock } from "../clock.js";
import { GatewayError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { LogMessage } from "../store/records.js";
import type { Appended, RoomLog } from "../store/room-log.js";

export interface Spool {
  /** Undefined: it is full, and the message is in no log. Rejects only when it can't be appended. */
  put(message: LogMessage): Promise<Appended> | undefined;
  /** The last append has failed. */
  readonly isFailing: boolean;
  /** Messages that wait. */
  readonly size: number;
  /** Messages that were in no log because it was full. */
  readonly refused: number;
  /** Tries once more what waits; what can't be appended then is lost. */
  stop(): Promise<void>;
}

export interface SpoolOptions {
  readonly log: RoomLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxMessages: number;
  readonly maxBytes: number;
}

const MAX_BATCH = 100;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

interface Item {
  readonly message: LogMessage;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

export function createSpool(options: SpoolOptions): Spool {
  const { log, clock, logger, maxMessages, maxBytes } = options;
  const queues = new Map<string, Item[]>();
  let waiting = 0;
  let bytes = 0;
  let refused = 0;
  let failures = 0;
  let isStopping = false;
  const wakeUps = new Set<() => void>();

  /** A fault that comes again however often it is tried must not hold up what is behind it. */
  async function append(topic: string, items: readonly Item[]): Promise<boolean> {
    try {
      const appended = await log.append(
        topic,
        items.map(({ message }) => message),
      );
      if (failures > 0) logger.info({ waiting }, "the room log is written again");
      failures = 0;
      items.forEach((item, i) => {
        const done = appended[i];
        if (done === undefined) item.reject(new Error("an append without an answer"));
        else item.resolve(done);
      });
      return true;
    } catch (cause) {
      const error = GatewayError.from(cause);
      if (error.code !== "UNAVAILABLE") {
        logger.error({ err: cause, topic }, "messages could not be appended to the room log");
        for (const item of items) item.reject(error);
        return true;
      }
      if (failures === 0) logger.warn({ err: cause }, "the room log can't be written: it waits");
      failures += 1;
      return false;
    }
  }

  async function drain(topic: string, queue: Item[]): Promise<void> {
    while (queue.length > 0) {
      const items = queue.slice(0, MAX_BATCH);
      if (await append(topic, items)) {
        queue.splice(0, items.length);
        waiting -= items.length;
        for (const { message } of items) bytes -= message.payload.length;
      } else if (isStopping) {
        for (const item of queue) item.reject(new GatewayError("SHUTTING_DOWN", "it stops"));
        waiting -= queue.length;
        break;
      } else {
        await pause(Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures, 10), MAX_RETRY_MS));
      }
    }
    queues.delete(topic);
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        wakeUps.delete(wake);
        cancel();
        resolve();
      };
      const cancel = clock.schedule(ms, wake);
      wakeUps.add(wake);
    });
  }

  const drains = new Set<Promise<void>>();

  return {
    put(message) {
      if (waiting >= maxMessages || bytes + message.payload.length > maxBytes) {
        refused += 1;
        return undefined;
      }
      waiting += 1;
      bytes += message.payload.length;
      return new Promise((resolve, reject) => {
        const item = { message, resolve, reject };
        const queue = queues.get(message.topic);
        if (queue !== undefined) {
          queue.push(item);
          return;
        }
        const fresh = [item];
        queues.set(message.topic, fresh);
        const drained = drain(message.topic, fresh);
        drains.add(drained);
        void drained.then(() => drains.delete(drained));
      });
    },
    get isFailing() {
      return failures > 0;
    },
    get size() {
      return waiting;
    },
    get refused() {
      return refused;
    },
    async stop() {
      isStopping = true;
      for (const wake of [...wakeUps]) wake();
      await Promise.all(drains);
    },
  };
}
