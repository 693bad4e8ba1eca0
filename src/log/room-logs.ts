/**
 * The rooms' logs as the gateway uses them: appended to for EMQX's ExHook, and read for every
 * connection. What the broker delivers is looked up here, so that it has its place in the log; a
 * message that is in none, as the hook was not there or could not store it, is appended by whoever
 * gets it.
 */
import type { Clock } from "../clock.js";
import { GatewayError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { BrokerMessage, Call, History, Published } from "../protocol.js";
import { epochAt } from "../store/records.js";
import type { LogEntry, LogHead, LogMessage, LogPage, LogPosition } from "../store/records.js";
import type { Appended, Publication, RoomLog } from "../store/room-log.js";
import { createSpool, type Spooled } from "./spool.js";
import { MAX_PAGE_BYTES, Tail } from "./tail.js";

export interface RoomLogs {
  /** Whether the topic is one that has a log. */
  keeps(topic: string): boolean;
  open(topic: string): Promise<LogHead>;
  read(range: Omit<Extract<Call, { name: "log.read" }>, "name">): Promise<LogPage>;
  history(topic: string, before: string | undefined, limit: number): Promise<History>;
  /** See RoomLog. */
  announce(topic: string, publication: Publication): Promise<Published | undefined>;
  /** As RoomLog's, but waits a little for what is on its way. */
  settle(topic: string, publication: Publication): Promise<Published | undefined>;
  /**
   * A message is about to be routed. "drop": it is a second attempt of one that was routed before.
   * Never rejects, and waits for the store no longer than `waitMs`.
   */
  append(message: LogMessage): Promise<"route" | "drop">;
  /** The messages with what their logs know of them, at once where that is remembered. Never rejects. */
  locate(messages: readonly BrokerMessage[]): Located | Promise<Located>;
  /** Tells of every message that was appended later than it was routed. */
  onLate(listener: (topic: string, position: LogPosition) => void): void;
  stats(): RoomLogStats;
  stop(): Promise<void>;
}

export type Located = readonly BrokerMessage[];

export interface RoomLogStats {
  /** Messages that wait to be appended. */
  readonly spooled: number;
  /** Messages that could not even wait, and are in no log. */
  readonly refused: number;
}

/** What was dropped from the log, and is kept elsewhere. */
export interface OlderEntries {
  read(
    topic: string,
    range: { readonly after: LogPosition; readonly limit: number; readonly maxBytes: number },
  ): Promise<readonly LogEntry[]>;
  readBack(
    topic: string,
    range: {
      readonly before?: LogPosition | string;
      readonly limit: number;
      readonly maxBytes: number;
    },
  ): Promise<readonly LogEntry[]>;
}

export interface LogLimits {
  /** How long a message waits to be appended before it is routed all the same. */
  readonly waitMs: number;
  /** How long a key of a client's `say` is remembered. */
  readonly keyWindowMs: number;
  /** What may wait while the store is away. */
  readonly maxSpooledMessages: number;
  readonly maxSpooledBytes: number;
}

export interface RoomLogsOptions extends Partial<LogLimits> {
  readonly log: RoomLog;
  readonly keeps: (topic: string) => boolean;
  readonly archive?: OlderEntries;
  readonly clock: Clock;
  readonly logger: Logger;
}

export const defaultLogLimits: LogLimits = {
  waitMs: 250,
  keyWindowMs: 10 * 60 * 1000,
  maxSpooledMessages: 20_000,
  maxSpooledBytes: 64 * 1024 * 1024,
};

/** An older message that is in no log was dropped from it, or is a retained one: it stays out. */
const MAX_REPAIR_AGE_MS = 5 * 60 * 1000;
/** Logs whose newest entries are remembered. */
const MAX_TAILS = 1_000;
/** For what EMQX has taken and the hook still stores. */
const SETTLE_RETRIES_MS = [20, 100, 400] as const;

export function createRoomLogs(options: RoomLogsOptions): RoomLogs {
  const { log, keeps, archive, clock, logger } = options;
  const limits = { ...defaultLogLimits, ...options };
  const tails = new Map<string, Tail>();
  const listeners: ((topic: string, position: LogPosition) => void)[] = [];
  /** What is being appended, by id and topic: every connection that is sent it may ask for that. */
  const underWay = new Map<string, Promise<Appended | undefined>>();
  /** The newest of each topic that the listeners are still to be told of. */
  const late = new Map<string, LogPosition>();
  const spool = createSpool({
    log,
    clock,
    logger,
    maxMessages: limits.maxSpooledMessages,
    maxBytes: limits.maxSpooledBytes,
  });

  function tailOf(topic: string): Tail {
    const tail = tails.get(topic) ?? new Tail(log, topic);
    // The one used last is dropped last.
    tails.delete(topic);
    tails.set(topic, tail);
    if (tails.size > MAX_TAILS) {
      for (const oldest of tails.keys()) {
        tails.delete(oldest);
        break;
      }
    }
    return tail;
  }

  const pause = (ms: number) => new Promise<void>((resolve) => clock.schedule(ms, resolve));

  /** Resolves to undefined when it takes longer than `waitMs`, or can't be done for the moment. */
  function store(message: LogMessage): Promise<Appended | undefined> {
    const name = `${message.id} ${message.topic}`;
    const earlier = underWay.get(name);
    if (earlier !== undefined) return earlier;
    const spooled = spool.put(message);
    if (spooled === undefined) return Promise.resolve(undefined);
    let isLate = false;
    const appended = spooled.appended
      .then(
        (done) => {
          if (isLate) tellLate(message.topic, done);
          return done;
        },
        () => undefined,
      )
      .finally(() => underWay.delete(name));
    const inTime = waitFor({ ...spooled, appended }, () => {
      isLate = true;
    });
    underWay.set(name, inTime);
    return inTime;
  }

  /** Gives up when an attempt fails, or after `waitMs`. */
  async function waitFor<T>(
    { appended, failed }: Pick<Spooled, "failed"> & { readonly appended: Promise<T> },
    onGivenUp: () => void = () => undefined,
  ): Promise<T | undefined> {
    let cancel = (): void => undefined;
    const givenUp = new Promise<undefined>((resolve) => {
      const giveUp = () => {
        onGivenUp();
        resolve(undefined);
      };
      cancel = clock.schedule(limits.waitMs, giveUp);
      void failed().then(giveUp);
    });
    const first = await Promise.race([appended, givenUp]);
    cancel();
    return first;
  }

  /** An earlier attempt may wait here still: what becomes of it has to be seen first. */
  async function announce(topic: string, publication: Publication): Promise<Published | undefined> {
    const earlier = spool.retry(topic, publication);
    if (earlier !== undefined && (await waitFor(earlier)) === undefined) {
      throw new GatewayError("UNAVAILABLE", "the room log can't be written for the moment");
    }
    return log.announce(topic, publication, limits.keyWindowMs);
  }

  /** What is appended together is told once: who hears of the newest reads them all. */
  function tellLate(topic: string, position: LogPosition): void {
    if (late.size === 0) queueMicrotask(flushLate);
    const before = late.get(topic);
    const isNewer =
      before === undefined ||
      position.epoch > before.epoch ||
      (position.epoch === before.epoch && position.offset > before.offset);
    if (isNewer) late.set(topic, { epoch: position.epoch, offset: position.offset });
  }

  function flushLate(): void {
    const told = [...late];
    late.clear();
    for (const [topic, position] of told)
      for (const listener of listeners) listener(topic, position);
  }

  function place(message: BrokerMessage, entry: LogEntry): BrokerMessage {
    const { epoch, offset, username, protocol } = entry;
    return {
      ...message,
      ...(username !== "" && { username }),
      ...(protocol === "exproto" && { isOurs: true }),
      position: { epoch, offset },
    };
  }

  /** What no log knows is appended, if it is new. */
  async function repair(message: BrokerMessage): Promise<BrokerMessage> {
    if (clock.now() - message.timestamp > MAX_REPAIR_AGE_MS) return message;
    const { id, topic, from, username = "", isOurs, qos, payload, timestamp } = message;
    const protocol = isOurs === true ? "exproto" : "";
    const appended = await store({ id, topic, from, username, protocol, qos, payload, timestamp });
    return appended === undefined
      ? message
      : { ...message, position: { epoch: appended.epoch, offset: appended.offset } };
  }

  async function lookUp(messages: Located): Promise<Located> {
    const topics = new Set(messages.filter(isUnknown).map(({ topic }) => topic));
    await Promise.all(
      [...topics].map(async (topic) => {
        try {
          await tailOf(topic).refresh();
        } catch (error) {
          logger.debug({ err: error, topic }, "a log could not be read");
        }
      }),
    );
    return Promise.all(
      messages.map(async (message) => {
        const entry = tails.get(message.topic)?.find(message.id);
        if (entry !== undefined) return place(message, entry);
        return keeps(message.topic) ? repair(message) : message;
      }),
    );
  }

  function isUnknown({ topic, id }: BrokerMessage): boolean {
    return keeps(topic) && tails.get(topic)?.find(id) === undefined;
  }

  /** Where the log is shorter than what is asked for, the archive may still have it. */
  async function readOlder(
    topic: string,
    after: LogPosition,
    limit: number,
    page: LogPage,
  ): Promise<LogPage> {
    const { head } = page;
    const first = after.offset + 1;
    if (archive === undefined || first >= head.first) return page;
    const position = { epoch: epochAt(head, first), offset: after.offset };
    const found = await archive.read(topic, { after: position, limit, maxBytes: MAX_PAGE_BYTES });
    // What an epoch has lost at its end may be in the archive: other entries have these offsets now.
    const end = found.findIndex(
      ({ epoch, offset }, i) => offset !== first + i || epoch !== epochAt(head, offset),
    );
    const entries = found.slice(0, end < 0 ? undefined : end);
    return entries.length === 0 ? page : { head: { ...head, first }, entries };
  }

  async function read({
    topic,
    after,
    limit,
    isFresh,
  }: Parameters<RoomLogs["read"]>[0]): Promise<LogPage> {
    const tail = tailOf(topic);
    const remembered = isFresh ? undefined : tail.head;
    const isEnough = remembered?.epoch === after.epoch && remembered.last > after.offset;
    const head = isEnough ? remembered : await tail.refresh();
    // Its reader has to find out first where it stands in this epoch.
    if (after.epoch !== head.epoch) return { head, entries: [] };
    const entries = tail.after(after.offset, limit);
    if (entries !== undefined) return { head: { ...head, first: 1 }, entries };
    const page = await log.read(topic, { after: after.offset, limit, maxBytes: MAX_PAGE_BYTES });
    if (after.epoch !== page.head.epoch) return { head: page.head, entries: [] };
    return readOlder(topic, after, limit, page);
  }

  async function history(topic: string, before: string | undefined, limit: number) {
    const maxBytes = MAX_PAGE_BYTES;
    // One more than asked for tells whether there are more.
    const range = { ...(before !== undefined && { before }), limit: limit + 1, maxBytes };
    const page = await log.readBack(topic, range);
    let { entries } = page;
    const oldest = entries.at(-1);
    const isCut =
      entries.length > limit || (oldest !== undefined && oldest.offset > page.head.first);
    if (archive !== undefined && !isCut) {
      const older = await archive.readBack(topic, {
        ...(oldest !== undefined
          ? { before: { epoch: oldest.epoch, offset: oldest.offset } }
          : before !== undefined && { before }),
        limit: limit + 1 - entries.length,
        maxBytes,
      });
      entries = [...entries, ...older];
    }
    return { entries: entries.slice(0, limit), more: entries.length > limit || isCut };
  }

  return {
    keeps,
    async open(topic) {
      const [head] = await log.open([topic]);
      if (head === undefined) throw GatewayError.from(new Error("a log without a head"));
      return head;
    },
    read,
    history,
    announce,
    async settle(topic, publication) {
      for (const retryMs of SETTLE_RETRIES_MS) {
        const settled = await log.settle(topic, publication);
        if (settled !== undefined) return settled;
        await pause(retryMs);
      }
      return log.settle(topic, publication);
    },
    async append(message) {
      const appended = await store(message);
      return appended?.isRepeated === true ? "drop" : "route";
    },
    locate(messages) {
      if (messages.some(isUnknown)) return lookUp(messages);
      return messages.map((message) => {
        const entry = tails.get(message.topic)?.find(message.id);
        return entry === undefined ? message : place(message, entry);
      });
    },
    onLate: (listener) => void listeners.push(listener),
    stats: () => ({ spooled: spool.size, refused: spool.refused }),
    stop: () => spool.stop(),
  };
}
