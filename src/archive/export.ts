/**
 * A topic's messages as NDJSON: one JSON object a line, oldest first. Fields: `id`, `topic`, `from` (the
 * publisher's client id), `username` and `protocol` (empty: not known), `qos`, `ts` (ms since 1970),
 * `epoch` and `offset` (the place in the topic's log), and the payload as `text` where it is valid
 * UTF-8, else as `data`, in base64.
 */
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { LogEntry, LogPosition } from "../store/index.js";
import type { Archive, ArchiveRange } from "./archive.js";

export interface ExportOptions {
  readonly archive: Archive;
  readonly topic: string;
  /** Written to as fast as it takes it; not ended. */
  readonly output: Writable;
  /** Told after each page, how many messages `output` has taken so far. */
  readonly onProgress?: (messages: number) => void;
}

/** What is in memory at a time. */
const PAGE: ArchiveRange = { limit: 500, maxBytes: 4 * 1024 * 1024 };
const BEFORE_ALL: LogPosition = { epoch: -1, offset: 0 };

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function toText(payload: Uint8Array): string | undefined {
  try {
    return utf8.decode(payload);
  } catch {
    return undefined;
  }
}

export function toLine(entry: LogEntry): string {
  const { id, topic, from, username, protocol, qos, timestamp, epoch, offset, payload } = entry;
  const text = toText(payload);
  const content = text === undefined ? { data: Buffer.from(payload).toString("base64") } : { text };
  const fields = { id, topic, from, username, protocol, qos, ts: timestamp, epoch, offset };
  return `${JSON.stringify({ ...fields, ...content })}\n`;
}

/** Resolves once `output` has taken the text. Should it fail, that is told by `failureOf`. */
function write(output: Writable, text: string): Promise<void> {
  return new Promise((resolve) => {
    output.write(text, (error) => {
      if (error == null) resolve();
    });
  });
}

/** Rejects when `output` fails, or is closed or ended by another, up to the signal. */
async function failureOf(output: Writable, signal: AbortSignal): Promise<never> {
  await finished(output, { readable: false, signal, cleanup: true });
  throw new Error("the output was closed");
}

/**
 * Gives how many messages there were, when `output` has taken them all. Rejects when the archive does,
 * and when `output` fails.
 */
export async function exportTopic(options: ExportOptions): Promise<number> {
  const { archive, topic, output, onProgress } = options;
  async function copy(): Promise<number> {
    let messages = 0;
    let after = BEFORE_ALL;
    for (;;) {
      const page = await archive.read(topic, { after, ...PAGE });
      const last = page.at(-1);
      if (last === undefined) return messages;
      await write(output, page.map(toLine).join(""));
      messages += page.length;
      onProgress?.(messages);
      after = { epoch: last.epoch, offset: last.offset };
    }
  }
  const over = new AbortController();
  try {
    return await Promise.race([copy(), failureOf(output, over.signal)]);
  } finally {
    over.abort();
  }
}
