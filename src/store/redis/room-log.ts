/**
 * The logs in Redis. A server that was killed may come back without what it was told last (up to a
 * second of it with appendfsync everysec, more on another machine that took over): a new epoch tells.
 * Whatever this process has told or read in the last KEEP_MS is put back then, before anybody sees the
 * new epoch through it, and at its old place where nothing has come there since. So only what no
 * running gateway knows of is lost.
 */
import { intactUpTo } from "../records.js";
import type { LogEntry, LogHead, LogPage } from "../records.js";
import { defaultRetention, isLike } from "../room-log.js";
import type { ArchiveSource, RetentionOptions, RoomLog } from "../room-log.js";
import { createRedisArchiveSource } from "./archive-source.js";
import type { RedisConnection } from "./connection.js";
import { createJournal, type JournalLine, type NotedPublication } from "./journal.js";
import type { Keys } from "./keys.js";
import { createLogCalls, OtherEpoch } from "./log-calls.js";

/**
 * What is older is on the server's disk: everysec writes each second, or after two where the disk is
 * slow (Redis documentation, "Redis persistence").
 */
const KEEP_MS = 3_000;
/** What is searched for the message of a publication. */
const SEARCH = { limit: 1_000, maxBytes: 4 * 1024 * 1024 };
/** How often those are looked at that were not used in the last KEEP_MS. */
const SWEEP_MS = 1_000;

export interface RedisRoomLogOptions {
  readonly connection: RedisConnection;
  readonly keys: Keys;
  readonly retention?: Partial<RetentionOptions>;
}

export interface RedisRoomLog extends RoomLog, ArchiveSource {
  /** Looks no longer after what may have to be put back. */
  stop(): void;
}

export function createRedisRoomLog(options: RedisRoomLogOptions): RedisRoomLog {
  const { connection, keys } = options;
  const retention: RetentionOptions = { ...defaultRetention, ...options.retention };
  const calls = createLogCalls({ connection, keys, retention });
  const archive = createRedisArchiveSource({ connection, keys, retention });
  const journal = createJournal();
  let sweeping: NodeJS.Timeout | undefined;
  let isStopped = false;

  const now = () => performance.now();

  /** Looks which epoch the log is in, and puts back what is noted if that is another one than it was. */
  function check(topic: string, line: JournalLine): Promise<void> {
    line.restoring ??= restore(topic, line).finally(() => (line.restoring = undefined));
    return line.restoring;
  }

  async function restore(topic: string, line: JournalLine): Promise<void> {
    for (;;) {
      const startedAt = now();
      const head = await calls.open(topic);
      const { epoch } = head;
      try {
        if (line.epoch !== 0 && line.epoch !== epoch) {
          // What has befallen one has befallen the others.
          for (const [, other] of journal.lines()) other.seenAt = 0;
          await putBack(topic, line, head);
        }
        line.epoch = epoch;
        line.seenAt = startedAt;
        return;
      } catch (error) {
        if (!(error instanceof OtherEpoch)) throw error;
      }
    }
  }

  async function putBack(topic: string, line: JournalLine, head: LogHead): Promise<void> {
    const { epoch } = head;
    const publications = line.publications();
    const open = publications.filter(({ id }) => id === undefined);
    for (const { publication, windowMs } of open) {
      await calls.announce(topic, epoch, publication, windowMs);
    }
    await putBackEntries(topic, line, head);
    const unclaimed = open.length > 0 ? await findUnclaimed(topic, head, open) : [];
    for (const { publication, windowMs, ...noted } of publications) {
      const found = unclaimed.findIndex((entry) => isLike(publication, entry));
      const id = noted.id ?? unclaimed.splice(found, found < 0 ? 0 : 1)[0]?.id;
      if (id !== undefined) await calls.announce(topic, epoch, publication, windowMs, id);
    }
    line.renewPublications(now());
  }

  /** Entries that another gateway has put back before it was told here whose they are. */
  async function findUnclaimed(
    topic: string,
    { epochs }: LogHead,
    publications: readonly NotedPublication[],
  ): Promise<LogEntry[]> {
    const intact = (epochs.at(-1)?.since ?? 1) - 1;
    const after = Math.min(intact, ...publications.map((noted) => noted.after));
    const { entries } = await calls.read(topic, { after, ...SEARCH });
    return entries.filter(({ protocol }) => protocol === "");
  }

  async function putBackEntries(topic: string, line: JournalLine, head: LogHead): Promise<void> {
    const users = new Map(line.publications().map(({ id, publication }) => [id, publication]));
    const entries = line
      .entries()
      // What is not there, and was before the loss, was dropped.
      .filter(({ epoch, offset }) => offset > intactUpTo(head, epoch))
      .map((entry) => {
        const username = users.get(entry.id)?.username;
        return username === undefined ? entry : { ...entry, username, protocol: "exproto" };
      });
    const appended = await calls.append(
      topic,
      head.epoch,
      entries.map((entry) => ({ message: entry, was: entry, isSettled: users.has(entry.id) })),
    );
    const at = now();
    entries.forEach((entry, i) => {
      const place = appended[i];
      if (place === undefined || place.isRepeated) return;
      line.noteEntry({ ...entry, epoch: place.epoch, offset: place.offset }, at);
    });
  }

  /** Runs a call that changes the log, in the epoch that the journal was written in. */
  async function change<T>(
    topic: string,
    run: (epoch: number) => Promise<T>,
    note: (line: JournalLine, done: T, at: number) => void,
  ): Promise<T> {
    for (;;) {
      const line = journal.lineOf(topic);
      if (line.epoch === 0 || line.restoring !== undefined) await check(topic, line);
      const startedAt = now();
      try {
        const done = await run(line.epoch);
        line.forgetBefore(startedAt - KEEP_MS);
        line.seenAt = startedAt;
        note(line, done, now());
        sweepLater();
        return done;
      } catch (error) {
        if (!(error instanceof OtherEpoch)) throw error;
        await check(topic, line);
      }
    }
  }

  async function look<Page extends LogPage>(
    topic: string,
    run: () => Promise<Page>,
  ): Promise<Page> {
    for (;;) {
      const line = journal.lineOf(topic);
      const page = await run();
      if (line.isEmpty) line.epoch = page.head.epoch;
      if (line.epoch === page.head.epoch) {
        line.notePage(page, now());
        sweepLater();
        return page;
      }
      await check(topic, line);
    }
  }

  function sweepLater(): void {
    if (isStopped || sweeping !== undefined) return;
    sweeping = setTimeout(() => {
      void sweep().then((isThrough) => {
        sweeping = undefined;
        if (!isThrough) sweepLater();
      });
    }, SWEEP_MS).unref();
  }

  /** Resolves to whether there is nothing left to look after. */
  async function sweep(): Promise<boolean> {
    try {
      for (const [topic, line] of journal.lines()) {
        if (line.seenAt > now() - KEEP_MS) continue;
        await check(topic, line);
        line.forgetBefore(line.seenAt - KEEP_MS);
      }
    } catch {
      // It is away, for the others as well: until the next time.
    }
    return journal.lines().length === 0;
  }

  return {
    ...archive.source,

    async open(topics) {
      const pages = topics.map((topic) =>
        look(topic, async () => ({ head: await calls.open(topic), entries: [] })),
      );
      return (await Promise.all(pages)).map(({ head }) => head);
    },

    async append(topic, messages) {
      if (messages.length === 0) return [];
      if (retention.isArchived) await archive.enlist(topic);
      return change(
        topic,
        (epoch) =>
          calls.append(
            topic,
            epoch,
            messages.map((message) => ({ message })),
          ),
        (line, appended, at) => {
          messages.forEach((message, i) => {
            const place = appended[i];
            if (place === undefined || place.isRepeated) return;
            line.noteEntry({ ...message, epoch: place.epoch, offset: place.offset }, at);
          });
        },
      );
    },

    read: (topic, range) => look(topic, () => calls.read(topic, range)),

    readBack: (topic, range) => look(topic, () => calls.readBack(topic, range)),

    announce: (topic, publication, windowMs) =>
      change(
        topic,
        (epoch) => calls.announce(topic, epoch, publication, windowMs),
        (line, settled, at) => {
          line.noteAnnounced(publication, windowMs, at);
          if (settled !== undefined) line.noteSettled(publication, settled.id, at);
        },
      ),

    settle: (topic, publication) =>
      change(
        topic,
        (epoch) => calls.settle(topic, epoch, publication),
        (line, settled, at) => {
          if (settled !== undefined) line.noteSettled(publication, settled.id, at);
        },
      ),

    stop() {
      isStopped = true;
      clearTimeout(sweeping);
    },
  };
}
