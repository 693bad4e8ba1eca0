/** The logs in this process: for one gateway without Redis, and for tests. They end with it. */
import type { Clock } from "../../clock.js";
import type { LogEntry, LogHead, LogMessage, LogPage } from "../records.js";
import { defaultRetention, headKeptMs, mayBeAnnounced } from "../room-log.js";
import type { Appended, ArchiveSource, RetentionOptions, RoomLog } from "../room-log.js";
import { ExpiringMap } from "./expiring-map.js";
import { Publications } from "./publications.js";

interface Log {
  readonly topic: string;
  readonly epoch: number;
  last: number;
  /** Oldest first, without a gap, up to `last`; empty when all were dropped. */
  entries: LogEntry[];
  entriesEndAt: number;
  readonly offsets: Map<string, number>;
  readonly publications: Publications;
  /** The archive's: claimed up to here, and when those of them were that are not confirmed. */
  claimed: number;
  readonly claimedAt: Map<number, number>;
}

/** Entries dropped by one append at most. */
const MAX_TRIMMED = 1_000;

export interface MemoryRoomLogOptions {
  readonly clock: Clock;
  readonly retention?: Partial<RetentionOptions>;
}

export function createMemoryRoomLog(options: MemoryRoomLogOptions): RoomLog & ArchiveSource {
  const { clock } = options;
  const retention: RetentionOptions = { ...defaultRetention, ...options.retention };
  const logs = new ExpiringMap<Log>(clock);
  let lastEpoch = 0;

  function unconfirmed(log: Log): number {
    return retention.isArchived ? log.last - log.claimed + log.claimedAt.size : 0;
  }

  /** Sets how long the log and its entries are kept from now on. */
  function keep(log: Log): void {
    const isHeld = unconfirmed(log) > 0;
    log.entriesEndAt = isHeld ? Infinity : clock.now() + retention.maxAgeMs;
    logs.set(log.topic, log, isHeld ? Infinity : headKeptMs(retention));
  }

  function drop(log: Log, count: number): void {
    for (const { id } of log.entries.splice(0, count)) log.offsets.delete(id);
  }

  function logOf(topic: string): Log {
    const known = logs.get(topic);
    if (known !== undefined) {
      if (clock.now() >= known.entriesEndAt) drop(known, known.entries.length);
      return known;
    }
    lastEpoch = Math.max(lastEpoch + 1, clock.now());
    const log: Log = {
      topic,
      epoch: lastEpoch,
      last: 0,
      entries: [],
      entriesEndAt: Infinity,
      offsets: new Map(),
      publications: new Publications(clock),
      claimed: 0,
      claimedAt: new Map(),
    };
    keep(log);
    return log;
  }

  function headOf({ epoch, last, entries }: Log): LogHead {
    return { epoch, first: last - entries.length + 1, last, epochs: [{ epoch, since: 1 }] };
  }

  function add(log: Log, message: LogMessage): number {
    const { id, from, username, protocol, qos, payload, timestamp } = message;
    log.last += 1;
    const offset = log.last;
    const kept = { id, topic: log.topic, from, username, protocol, qos, timestamp };
    log.entries.push({ ...kept, payload: payload.slice(), epoch: log.epoch, offset });
    log.offsets.set(id, offset);
    return offset;
  }

  function appendOne(log: Log, message: LogMessage): Appended {
    const { epoch } = log;
    const known = log.offsets.get(message.id);
    if (known !== undefined) return { epoch, offset: known, isRepeated: false };
    if (!mayBeAnnounced(message)) return { epoch, offset: add(log, message), isRepeated: false };
    const fitting = log.publications.fit(message);
    switch (fitting.kind) {
      case "none":
        return { epoch, offset: add(log, message), isRepeated: false };
      case "settled": {
        const { id, ...at } = fitting.at;
        return { ...at, isRepeated: id !== message.id };
      }
      case "open": {
        const { username } = fitting;
        const offset = add(log, { ...message, username, protocol: "exproto" });
        fitting.settle({ id: message.id, epoch, offset });
        return { epoch, offset, isRepeated: false };
      }
    }
  }

  /** @param before The last offset of earlier appends: age takes no later ones. */
  function trim(log: Log, before: number): void {
    const oldest = clock.now() - retention.maxAgeMs;
    const confirmed = retention.isArchived ? confirmedUpTo(log) : Infinity;
    const over = log.last - retention.maxEntries;
    const kept = log.entries.findIndex(({ offset, timestamp }, index) => {
      const isOver = offset <= over || (timestamp < oldest && offset <= before);
      return !isOver || offset > confirmed || index === MAX_TRIMMED;
    });
    drop(log, kept === -1 ? log.entries.length : kept);
  }

  function confirmedUpTo(log: Log): number {
    return Math.min(log.claimed, ...[...log.claimedAt.keys()].map((offset) => offset - 1));
  }

  function take(
    entries: readonly LogEntry[],
    { limit, maxBytes }: { readonly limit: number; readonly maxBytes: number },
  ): readonly LogEntry[] {
    let bytes = 0;
    const over = entries.findIndex(({ payload }, index) => {
      bytes += payload.byteLength;
      return index >= limit || (bytes > maxBytes && index > 0);
    });
    return over === -1 ? entries : entries.slice(0, over);
  }

  return {
    open(topics) {
      return Promise.resolve(
        topics.map((topic) => {
          const log = logOf(topic);
          logs.set(topic, log, unconfirmed(log) > 0 ? Infinity : headKeptMs(retention));
          return headOf(log);
        }),
      );
    },

    append(topic, messages) {
      if (messages.length === 0) return Promise.resolve([]);
      const log = logOf(topic);
      const before = log.last;
      const appended = messages.map((message) => appendOne(log, message));
      trim(log, before);
      keep(log);
      return Promise.resolve(appended);
    },

    read(topic, { after, limit, maxBytes }): Promise<LogPage> {
      const log = logOf(topic);
      const head = headOf(log);
      const start = Math.max(after + 1 - head.first, 0);
      const entries = take(log.entries.slice(start, start + limit), { limit, maxBytes });
      return Promise.resolve({ head, entries });
    },

    readBack(topic, { before, limit, maxBytes }) {
      const log = logOf(topic);
      const head = headOf(log);
      const end = typeof before === "string" ? log.offsets.get(before) : (before ?? head.last + 1);
      if (end === undefined) return Promise.resolve({ head, entries: [], isKnown: false });
      const stop = Math.max(Math.min(end, head.last + 1) - head.first, 0);
      const newestFirst = log.entries.slice(Math.max(stop - limit, 0), stop).reverse();
      return Promise.resolve({
        head,
        entries: take(newestFirst, { limit, maxBytes }),
        isKnown: true,
      });
    },

    announce: (topic, publication, windowMs) =>
      Promise.resolve(logOf(topic).publications.announce(publication, windowMs)),

    settle: (topic, publication) => Promise.resolve(logOf(topic).publications.settle(publication)),

    pendingTopics() {
      const pending = [...logs.values()].filter((log) => unconfirmed(log) > 0);
      return Promise.resolve(pending.map(({ topic }) => topic));
    },

    claim(topic, { limit, reclaimAfterMs }) {
      const log = logs.get(topic);
      if (log === undefined || !retention.isArchived) return Promise.resolve([]);
      const now = clock.now();
      const claimable = log.entries.filter(({ offset }) => {
        const at = log.claimedAt.get(offset);
        return at === undefined ? offset > log.claimed : now - at >= reclaimAfterMs;
      });
      const claimed = claimable.slice(0, limit);
      for (const { offset } of claimed) {
        log.claimedAt.set(offset, now);
        log.claimed = Math.max(log.claimed, offset);
      }
      return Promise.resolve(claimed);
    },

    confirm(topic, offsets) {
      const log = logs.get(topic);
      if (log === undefined) return Promise.resolve();
      for (const offset of offsets) log.claimedAt.delete(offset);
      if (unconfirmed(log) === 0) keep(log);
      return Promise.resolve();
    },

    lag() {
      let total = 0;
      for (const log of logs.values()) total += unconfirmed(log);
      return Promise.resolve(total);
    },
  };
}
