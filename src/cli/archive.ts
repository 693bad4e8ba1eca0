/** `exproto-gateway archive export`: a room's messages as NDJSON. */
import { createWriteStream, existsSync } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import cliProgress from "cli-progress";
import { createArchive, exportTopic } from "../archive/index.js";
import type { Archive, ArchivePlace } from "../archive/index.js";
import { GatewayError } from "../errors.js";

export interface ArchiveExportOptions {
  readonly place: ArchivePlace;
  /** A topic, or a room: the topic comes first. */
  readonly target: string;
  /** Gives a room's topic; may throw where the name is none of a room. */
  readonly topicOf: (room: string) => string;
  /** A file, written over. Absent: `stdout`. */
  readonly file?: string;
  readonly stdout: Writable;
  /** Gets what is meant for a person; a progress bar only where it is a terminal. */
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

/** Topics that are named where the one asked for is not there. */
const MAX_HINTS = 10;

/** Gives the exit code: 0, or 1 after saying what is wrong. */
export async function exportArchive(options: ArchiveExportOptions): Promise<number> {
  const { place, stderr, file } = options;
  // It would be made.
  if ("directory" in place && place.directory !== undefined && !existsSync(place.directory)) {
    stderr.write(`there is no archive in ${place.directory}\n`);
    return 1;
  }
  let archive: Archive | undefined;
  try {
    archive = createArchive(place);
    const found = await find(archive, options);
    if (found === undefined) {
      stderr.write(await nothingThere(archive, options.target));
      return 1;
    }
    const messages = await write(archive, found, options);
    stderr.write(
      `${messages} messages of ${printable(found.topic)}${file === undefined ? "" : ` to ${file}`}\n`,
    );
    return 0;
  } catch (error) {
    stderr.write(`${explain(error)}\n`);
    return 1;
  } finally {
    await archive?.close();
  }
}

/** A topic is anybody's: its control characters are not for the terminal. */
function printable(topic: string): string {
  return topic.replace(/\p{Cc}/gu, "\u{fffd}");
}

interface Found {
  readonly topic: string;
  readonly messages: number;
}

function toTopics({ target, topicOf }: ArchiveExportOptions): readonly string[] {
  try {
    return [target, topicOf(target)];
  } catch {
    return [target];
  }
}

async function find(archive: Archive, options: ArchiveExportOptions): Promise<Found | undefined> {
  for (const topic of toTopics(options)) {
    const messages = await archive.count(topic);
    if (messages > 0) return { topic, messages };
  }
  return undefined;
}

async function nothingThere(archive: Archive, target: string): Promise<string> {
  const topics = await archive.topics();
  const hint = topics.slice(0, MAX_HINTS).map((topic) => `  ${printable(topic)}\n`);
  const more = topics.length > MAX_HINTS ? `  and ${topics.length - MAX_HINTS} more\n` : "";
  const rest =
    topics.length === 0 ? "The archive is empty.\n" : `There are:\n${hint.join("")}${more}`;
  return `nothing is archived of a topic or room "${target}". ${rest}`;
}

async function write(
  archive: Archive,
  { topic, messages }: Found,
  { file, stdout, stderr }: ArchiveExportOptions,
): Promise<number> {
  const output = file === undefined ? stdout : createWriteStream(file);
  const bar =
    stderr.isTTY === true
      ? new cliProgress.SingleBar({
          stream: stderr,
          format: "{bar} {percentage}% | {value}/{total} messages | {eta_formatted} left",
        })
      : undefined;
  bar?.start(messages, 0);
  try {
    const written = await exportTopic({
      archive,
      topic,
      output,
      onProgress: (count) => bar?.update(count),
    });
    if (file !== undefined) await finished(output.end());
    return written;
  } finally {
    bar?.stop();
  }
}

/** What went wrong, in words for whoever typed the command; the causes are ours, without passwords. */
function explain(error: unknown): string {
  if (error instanceof GatewayError) {
    const { cause } = error;
    return `the export ended: ${cause instanceof Error ? cause.message : error.reason}`;
  }
  return `the export ended: ${(error as Error).message}`;
}
