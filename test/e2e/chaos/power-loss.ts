/**
 * What a machine that loses power does to Redis' append-only file. SIGKILL alone loses nothing that
 * was confirmed: the system has it, and writes it to the disk. So the end of the file that `everysec`
 * may not have there yet is cut off.
 */
import { readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Span } from "./proof.js";

/** While the disk is slow Redis answers, and writes to the file up to two seconds later. */
const POSTPONED_MS = 2_000;

/**
 * Kills what runs there, and forgets what Redis has written in the last `lostMs`. Gives when that was,
 * by what its clients saw.
 */
export async function losePower(
  appendOnlyDir: string,
  lostMs: number,
  kill: () => Promise<unknown>,
): Promise<Span> {
  const folder = join(appendOnlyDir, "appendonlydir");
  const newest = (await readdir(folder))
    .filter((name) => name.endsWith(".incr.aof"))
    .sort()
    .at(-1);
  if (newest === undefined) throw new Error(`no append-only file in ${folder}`);
  const file = join(folder, newest);
  const { size } = await stat(file);
  const lostFrom = Date.now();
  await delay(lostMs);
  await kill();
  await truncate(file, size);
  return { from: lostFrom - POSTPONED_MS, to: Date.now() };
}
