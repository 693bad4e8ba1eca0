/**
 * Takes messages from the logs over to the archive. What it promises:
 *
 * - An entry is confirmed only after it is in the archive. Whatever is away meanwhile, database or logs,
 *   delays and loses nothing; what was claimed and not confirmed is kept and tried again, and, should
 *   this process die, claimed anew by another.
 * - It holds one batch at a time, and claims nothing while that one can't be written.
 * - An outage is logged once when it begins and once when it ends.
 * - An entry that the database refuses, though no entry should be such, holds up no other. It is logged
 *   and stays unconfirmed: it comes again after `reclaimAfterMs`, and is not lost with a mended bug.
 */
import type { Clock } from "../clock.js";
import { GatewayError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { ArchiveSource, LogEntry } from "../store/index.js";
import type { Archive } from "./archive.js";
import { retryDelayMs } from "./retry.js";

export interface ArchiveWriterOptions {
  readonly source: ArchiveSource;
  readonly archive: Archive;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Entries written at once, at most. Default 500. */
  readonly batchSize?: number;
  /** Bytes of payload claimed before they are written; one claim may go over it. Default 4 MiB. */
  readonly batchBytes?: number;
  /** From a nudge to the write: what comes meanwhile goes along. Default 200. */
  readonly gatherMs?: number;
  /** How often all topics are looked at: for what another process left, and for the lag. Default 5000. */
  readonly intervalMs?: number;
  /** After this another process claims what this one has not confirmed. Default 60000. */
  readonly reclaimAfterMs?: number;
  /** How long `stop` waits for the batch under way. Default 5000. */
  readonly stopTimeoutMs?: number;
}

export interface ArchiveWriterStats {
  /** Entries not archived yet, over all topics, as of the last look at them all. */
  readonly lag: number;
  /** Entries that this writer brought into the archive. */
  readonly written: number;
  /** Times that an entry was refused by the database. */
  readonly refused: number;
  /** Since when nothing can be archived, in ms since 1970; absent while all is well. */
  readonly failingSince?: number;
}

export interface ArchiveWriter {
  start(): void;
  /** Something was appended to this topic: it is written soon. */
  nudge(topic: string): void;
  stats(): ArchiveWriterStats;
  /**
   * Writes what is there, unless the archive is away; resolves at the latest after `stopTimeoutMs`.
   * May be called again.
   */
  stop(): Promise<void>;
}

/** A claim of so many bytes may have been cut short by the source: there may be more at once. */
const LARGE_CLAIM_BYTES = 256 * 1024;

/** An entry that the database refuses. */
interface Fault {
  readonly entry: LogEntry;
  readonly error: unknown;
}

interface Outage {
  readonly since: number;
  readonly attempts: number;
}

function offsetsByTopic(entries: readonly LogEntry[]): ReadonlyMap<string, readonly number[]> {
  const offsets = new Map<string, number[]>();
  for (const { topic, offset } of entries) {
    const known = offsets.get(topic);
    if (known === undefined) offsets.set(topic, [offset]);
    else known.push(offset);
  }
  return offsets;
}

export function createArchiveWriter(options: ArchiveWriterOptions): ArchiveWriter {
  const { source, archive, clock, logger } = options;
  const { batchSize = 500, batchBytes = 4 * 1024 * 1024, gatherMs = 200 } = options;
  const { intervalMs = 5_000, reclaimAfterMs = 60_000, stopTimeoutMs = 5_000 } = options;
  /** Topics to claim from in this pass, the one waiting longest first, and in the next one. */
  const due = new Set<string>();
  const nudged = new Set<string>();
  let held: readonly LogEntry[] = [];
  let phase: "new" | "running" | "stopping" | "stopped" = "new";
  let outage: Outage | undefined;
  let nextLookAt = 0;
  let lag = 0;
  let written = 0;
  let refused = 0;
  let timer: { readonly at: number; readonly cancel: () => void } | undefined;
  let pass: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  const isStopped = (): boolean => phase === "stopped";

  /** Runs a pass in `delayMs`, or when one was to run earlier, then. */
  function schedule(delayMs: number): void {
    const at = clock.now() + delayMs;
    if (phase !== "running" || pass !== undefined) return;
    if (timer !== undefined && timer.at <= at) return;
    cancelTimer();
    timer = { at, cancel: clock.schedule(delayMs, () => void run()) };
  }

  async function run(): Promise<void> {
    timer = undefined;
    pass = attempt();
    await pass;
    pass = undefined;
    if (outage !== undefined) schedule(retryDelayMs(outage.attempts));
    else schedule(nudged.size > 0 ? gatherMs : Math.max(nextLookAt - clock.now(), 0));
  }

  async function attempt(): Promise<void> {
    for (const topic of nudged) due.add(topic);
    nudged.clear();
    try {
      // A backlog takes long, and is no reason to overlook other topics.
      do {
        if (clock.now() >= nextLookAt) await look();
        await writeHeld();
      } while (!isStopped() && (await claimBatch()));
      recovered();
    } catch (error) {
      failed(error);
    }
  }

  async function look(): Promise<void> {
    for (const topic of await source.pendingTopics()) due.add(topic);
    lag = await source.lag();
    nextLookAt = clock.now() + intervalMs;
  }

  /** Goes through the topics until a batch is full. False: there is nothing. */
  async function claimBatch(): Promise<boolean> {
    let bytes = 0;
    for (const topic of [...due]) {
      const limit = batchSize - held.length;
      if (limit <= 0 || bytes >= batchBytes || isStopped()) break;
      // Should its claim fail, the others come first the next time.
      due.delete(topic);
      due.add(topic);
      const claimed = await source.claim(topic, { limit, reclaimAfterMs });
      const claimedBytes = claimed.reduce((sum, { payload }) => sum + payload.byteLength, 0);
      held = [...held, ...claimed];
      bytes += claimedBytes;
      if (claimed.length < limit && claimedBytes < LARGE_CLAIM_BYTES) due.delete(topic);
    }
    return held.length > 0;
  }

  async function writeHeld(): Promise<void> {
    if (held.length === 0) return;
    const faults: Fault[] = [];
    const sound = await write(held, faults);
    for (const [topic, offsets] of offsetsByTopic(sound)) await source.confirm(topic, offsets);
    held = [];
    const [fault] = faults;
    if (fault === undefined) return;
    refused += faults.length;
    const { topic, epoch, offset } = fault.entry;
    const fields = { topic, epoch, offset, entries: faults.length, err: fault.error };
    logger.error(fields, "the archive refuses entries, of which this is the first");
  }

  /** Gives those that are in the archive now. The others, found by halving, go to `faults`. */
  async function write(
    entries: readonly LogEntry[],
    faults: Fault[],
  ): Promise<readonly LogEntry[]> {
    try {
      written += await archive.write(entries);
      return entries;
    } catch (error) {
      if (GatewayError.from(error).code === "UNAVAILABLE") throw error;
      const [first] = entries;
      if (first === undefined || entries.length === 1) {
        if (first !== undefined) faults.push({ entry: first, error });
        return [];
      }
      const middle = Math.ceil(entries.length / 2);
      const halves = [entries.slice(0, middle), entries.slice(middle)];
      const sound: LogEntry[] = [];
      for (const half of halves) sound.push(...(await write(half, faults)));
      return sound;
    }
  }

  function cancelTimer(): void {
    timer?.cancel();
    timer = undefined;
  }

  /** A log in memory ends with the process: what is in it is written first, where that works. */
  async function finish(): Promise<void> {
    await pass;
    nextLookAt = 0;
    if (outage === undefined && !isStopped()) await attempt();
  }

  async function stop(): Promise<void> {
    const wasRunning = phase === "running";
    phase = "stopping";
    cancelTimer();
    if (wasRunning) await finishInTime();
    phase = "stopped";
  }

  async function finishInTime(): Promise<void> {
    let cancel: (() => void) | undefined;
    const tooLong = new Promise<void>((resolve) => {
      cancel = clock.schedule(stopTimeoutMs, resolve);
    });
    await Promise.race([finish(), tooLong]);
    cancel?.();
  }

  function failed(error: unknown): void {
    const { since, attempts } = outage ?? { since: clock.now(), attempts: 0 };
    outage = { since, attempts: attempts + 1 };
    if (attempts > 0) return;
    logger.warn({ err: error }, "messages can't be archived; trying again until they can");
  }

  function recovered(): void {
    if (outage === undefined) return;
    const delayedMs = clock.now() - outage.since;
    outage = undefined;
    logger.info({ delayedMs }, "messages are archived again");
  }

  return {
    start() {
      if (phase !== "new") return;
      phase = "running";
      schedule(0);
    },

    nudge(topic) {
      nudged.add(topic);
      if (outage === undefined) schedule(gatherMs);
    },

    stats: () => ({
      lag,
      written,
      refused,
      ...(outage !== undefined && { failingSince: outage.since }),
    }),

    stop: () => (stopping ??= stop()),
  };
}
