/**
 * The newest entries of one log as this process remembers them: every connection of a room is served
 * from here, so that a message costs the store one read and not one a connection.
 */
import type { LogEntry, LogHead, LogPage } from "../store/records.js";
import type { RoomLog } from "../store/room-log.js";

const MAX_ENTRIES = 1_024;
const MAX_BYTES = 4 * 1024 * 1024;
/** How far back the first look goes. */
const FIRST_LOOK = 64;
const PAGE = 256;
/** Of one read from the store. */
export const MAX_PAGE_BYTES = 256 * 1024;

export class Tail {
  /** Dense: each offset is one more than the one before. */
  private entries: LogEntry[] = [];
  private bytes = 0;
  private readonly byId = new Map<string, LogEntry>();
  private known: LogHead | undefined;
  private running: Promise<LogHead> | undefined;
  private queued: Promise<LogHead> | undefined;

  constructor(
    private readonly log: RoomLog,
    private readonly topic: string,
  ) {}

  find(id: string): LogEntry | undefined {
    return this.byId.get(id);
  }

  /** As it was last seen; undefined before the first `refresh`. */
  get head(): LogHead | undefined {
    return this.known;
  }

  /** The entries after `offset`; undefined when not all of them are remembered. */
  after(offset: number, limit: number): readonly LogEntry[] | undefined {
    const [oldest] = this.entries;
    if (oldest === undefined || offset + 1 < oldest.offset) return undefined;
    const start = offset + 1 - oldest.offset;
    const found: LogEntry[] = [];
    let bytes = 0;
    for (const entry of this.entries.slice(start, start + limit)) {
      bytes += entry.payload.length;
      if (found.length > 0 && bytes > MAX_PAGE_BYTES) break;
      found.push(entry);
    }
    return found;
  }

  /**
   * Reads what is new. Whoever asks while a read is under way gets the next one, as what it wants to
   * see may have been appended after that had begun.
   */
  refresh(): Promise<LogHead> {
    if (this.running === undefined) return this.start();
    return (this.queued ??= this.running.then(
      () => this.start(),
      () => this.start(),
    ));
  }

  private start(): Promise<LogHead> {
    this.queued = undefined;
    const run = this.read();
    this.running = run;
    const done = () => {
      if (this.running === run) this.running = undefined;
    };
    run.then(done, done);
    return run;
  }

  private async read(): Promise<LogHead> {
    for (;;) {
      const last = this.entries.at(-1);
      const page = last === undefined ? await this.look() : await this.goOn(last.offset);
      const { head } = page;
      if (this.known !== undefined && this.known.epoch !== head.epoch) {
        this.clear();
        this.known = head;
        continue;
      }
      this.known = head;
      const newest = page.entries.at(-1)?.offset;
      // All that came since was dropped again.
      if (newest === undefined && last !== undefined && last.offset < head.last) this.clear();
      const isThrough = newest === undefined || newest === head.last;
      for (const entry of page.entries) this.add(entry);
      if (isThrough) return head;
    }
  }

  private async look(): Promise<LogPage> {
    const page = await this.log.readBack(this.topic, {
      limit: FIRST_LOOK,
      maxBytes: MAX_PAGE_BYTES,
    });
    return { head: page.head, entries: [...page.entries].reverse() };
  }

  private goOn(after: number): Promise<LogPage> {
    return this.log.read(this.topic, { after, limit: PAGE, maxBytes: MAX_PAGE_BYTES });
  }

  private add(read: LogEntry): void {
    const last = this.entries.at(-1);
    if (last !== undefined && read.offset !== last.offset + 1) this.clear();
    const entry = { ...read, payload: alone(read.payload) };
    this.entries.push(entry);
    this.byId.set(entry.id, entry);
    this.bytes += entry.payload.length;
    while (this.entries.length > MAX_ENTRIES || this.bytes > MAX_BYTES) {
      const oldest = this.entries.shift();
      if (oldest === undefined) break;
      this.byId.delete(oldest.id);
      this.bytes -= oldest.payload.length;
    }
  }

  private clear(): void {
    this.entries = [];
    this.byId.clear();
    this.bytes = 0;
  }
}

/** A few bytes of a store's reply must not keep all of it in memory. */
function alone(payload: Uint8Array): Uint8Array {
  return payload.length < payload.buffer.byteLength ? new Uint8Array(payload) : payload;
}
