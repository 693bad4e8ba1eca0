/**
 * Appends messages to their logs: in order a topic, what gathers while a call is in flight as one.
 * While the store is away they wait here, within bounds, and nobody waits for them.
 */
import type { Clock } from "../clock.js";
import { GatewayError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { LogMessage } from "../store/records.js";
import { isLike, type Appended, type Publication, type RoomLog } from "../store/room-log.js";

export interface Spool {
  /** Tries at once. Undefined: it is full, and the message is in no log. */
  put(message: LogMessage): Spooled | undefined;
  /** Tries at once what waits and may be a publication's message; undefined when there is none. */
  retry(topic: string, publication: Publication): Spooled | undefined;
  /** The last append has failed. */
  readonly isFailing: boolean;
  /** Messages that wait. */
  readonly size: number;
  /** Messages that were in no log because it was full. */
  readonly refused: number;
  /** Tries once more what waits; what can't be appended then is lost. */
  stop(): Promise<void>;
}

export interface Spooled {
  /** Rejects only when it can't ever be appended. */
  readonly appended: Promise<Appended>;
  /** Resolves when an attempt has failed: it goes on waiting. */
  failed(): Promise<void>;
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
const MAX_RETRY_MS = 500;

interface Item extends Spooled {
  readonly message: LogMessage;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

interface Queue {
  readonly items: Item[];
  /** While it waits for its next attempt. */
  wake: (() => void) | undefined;
  /** Those who want to know that the attempt under way, or the next one, has failed. */
  onFailed: (() => void)[];
}

export function createSpool(options: SpoolOptions): Spool {
  const { log, clock, logger, maxMessages, maxBytes } = options;
  const queues = new Map<string, Queue>();
  let waiting = 0;
  let bytes = 0;
  let refused = 0;
  let failures = 0;
  let isStopping = false;

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

  async function drain(topic: string, queue: Queue): Promise<void> {
    const { items } = queue;
    while (items.length > 0) {
      const batch = items.slice(0, MAX_BATCH);
      if (await append(topic, batch)) {
        items.splice(0, batch.length);
        waiting -= batch.length;
        for (const { message } of batch) bytes -= message.payload.length;
        continue;
      }
      for (const tell of queue.onFailed.splice(0)) tell();
      if (isStopping) {
        for (const item of items) item.reject(new GatewayError("SHUTTING_DOWN", "it stops"));
        waiting -= items.length;
        break;
      }
      await pause(queue, Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures, 10), MAX_RETRY_MS));
    }
    queues.delete(topic);
  }

  function pause(queue: Queue, ms: number): Promise<void> {
    return new Promise((resolve) => {
      queue.wake = () => {
        queue.wake = undefined;
        cancel();
        resolve();
      };
      const cancel = clock.schedule(ms, queue.wake);
    });
  }

  function createItem(message: LogMessage, queue: Queue): Item {
    let settle: Pick<Item, "resolve" | "reject"> | undefined;
    const appended = new Promise<Appended>((resolve, reject) => (settle = { resolve, reject }));
    if (settle === undefined) throw new Error("a promise runs its function at once");
    const failed = () => new Promise<void>((resolve) => queue.onFailed.push(resolve));
    return { message, appended, failed, ...settle };
  }

  const drains = new Set<Promise<void>>();

  function start(topic: string): Queue {
    const queue: Queue = { items: [], wake: undefined, onFailed: [] };
    queues.set(topic, queue);
    return queue;
  }

  return {
    put(message) {
      if (waiting >= maxMessages || bytes + message.payload.length > maxBytes) {
        refused += 1;
        return undefined;
      }
      waiting += 1;
      bytes += message.payload.length;
      const { topic } = message;
      const running = queues.get(topic);
      const queue = running ?? start(topic);
      const item = createItem(message, queue);
      queue.items.push(item);
      queue.wake?.();
      if (running === undefined) {
        const drained = drain(topic, queue);
        drains.add(drained);
        void drained.then(() => drains.delete(drained));
      }
      return item;
    },
    retry(topic, publication) {
      const queue = queues.get(topic);
      const found = queue?.items.findLast(({ message }) => isLike(publication, message));
      if (found !== undefined) queue?.wake?.();
      return found;
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
      for (const { wake } of [...queues.values()]) wake?.();
      await Promise.all(drains);
    },
  };
}
