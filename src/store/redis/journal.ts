/**
 * What this process has told or read of the logs lately, so that it can be put back on a server that
 * came back without its newest writes.
 */
import type { LogEntry, LogPage } from "../records.js";
import type { Publication } from "../room-log.js";

/** Entries of all topics together; what one takes besides its payload is a guess. */
const MAX_BYTES = 64 * 1024 * 1024;
const OVERHEAD_BYTES = 400;
/** Topics that are remembered. */
const MAX_LINES = 10_000;

interface NotedEntry {
  readonly entry: LogEntry;
  readonly at: number;
}

export interface NotedPublication {
  readonly publication: Publication;
  readonly windowMs: number;
  /** Its message's, once it is settled. */
  readonly id: string | undefined;
  /** Its message has a higher offset. */
  readonly after: number;
  readonly at: number;
}

/** One topic's part. All times are in ms. */
export interface JournalLine {
  /** The log's, as it was last seen; 0 before that. */
  epoch: number;
  /** While what was lost is being put back. */
  restoring: Promise<void> | undefined;
  /** When the log was last seen to be in that epoch. */
  seenAt: number;
  readonly isEmpty: boolean;
  /** In the order of their offsets. */
  entries(): readonly LogEntry[];
  /** In the order they were announced, or settled. */
  publications(): readonly NotedPublication[];
  /** Is in the log, and may be new there. */
  noteEntry(entry: LogEntry, at: number): void;
  /** Was read; nothing is taken for new that was there when the topic was first looked at. */
  notePage(page: LogPage, at: number): void;
  noteAnnounced(publication: Publication, windowMs: number, at: number): void;
  /** Its message's id is known; ignored unless it was announced lately. */
  noteSettled(publication: Publication, id: string, at: number): void;
  /** What was noted of publications was told anew. */
  renewPublications(at: number): void;
  /** What was noted before `time` is on the server's disk. */
  forgetBefore(time: number): void;
}

export interface Journal {
  lineOf(topic: string): JournalLine;
  /** Those where something is noted. */
  lines(): readonly (readonly [topic: string, line: JournalLine])[];
}

function nameOf({ from, key }: Publication): string {
  return JSON.stringify([from, key]);
}

export function createJournal(): Journal {
  const lines = new Map<string, JournalLine>();
  let bytes = 0;

  function createLine(): JournalLine {
    const entries = new Map<string, NotedEntry>();
    const publications = new Map<string, NotedPublication>();
    let seen = 0;

    function drop({ entry }: NotedEntry): void {
      entries.delete(entry.id);
      bytes -= entry.payload.length + OVERHEAD_BYTES;
    }

    function note(entry: LogEntry, at: number): void {
      const before = entries.get(entry.id);
      if (before !== undefined) drop(before);
      entries.set(entry.id, { entry, at });
      bytes += entry.payload.length + OVERHEAD_BYTES;
      seen = Math.max(seen, entry.offset);
      for (const oldest of entries.values()) {
        if (bytes <= MAX_BYTES) break;
        drop(oldest);
      }
    }

    function notePublication(noted: NotedPublication): void {
      const name = nameOf(noted.publication);
      // Behind the others, so that the oldest is the first.
      publications.delete(name);
      publications.set(name, noted);
    }

    return {
      epoch: 0,
      restoring: undefined,
      seenAt: 0,
      get isEmpty() {
        return entries.size === 0 && publications.size === 0;
      },
      entries: () =>
        [...entries.values()]
          .map(({ entry }) => entry)
          .sort((one, other) => one.offset - other.offset),
      publications: () => [...publications.values()],
      noteEntry: note,
      notePage(page, at) {
        const before = seen === 0 ? page.head.last : seen;
        for (const entry of page.entries) if (entry.offset > before) note(entry, at);
        seen = Math.max(seen, before);
      },
      noteAnnounced: (publication, windowMs, at) =>
        notePublication({ publication, windowMs, id: undefined, after: seen, at }),
      noteSettled(publication, id, at) {
        const announced = publications.get(nameOf(publication));
        if (announced !== undefined) notePublication({ ...announced, id, at });
      },
      renewPublications(at) {
        for (const [name, noted] of publications) publications.set(name, { ...noted, at });
      },
      forgetBefore(time) {
        for (const noted of entries.values()) {
          if (noted.at >= time) break;
          drop(noted);
        }
        for (const [name, { at }] of publications) {
          if (at >= time) break;
          publications.delete(name);
        }
      },
    };
  }

  return {
    lineOf(topic) {
      const line = lines.get(topic) ?? createLine();
      // The one used last is dropped last.
      lines.delete(topic);
      lines.set(topic, line);
      if (lines.size > MAX_LINES) {
        for (const [oldest, forgotten] of lines) {
          forgotten.forgetBefore(Infinity);
          lines.delete(oldest);
          break;
        }
      }
      return line;
    },
    lines: () => [...lines].filter(([, line]) => !line.isEmpty),
  };
}
