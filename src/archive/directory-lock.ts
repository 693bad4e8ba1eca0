/**
 * One process at a time in a PGlite directory: it has no lock of its own, and two at once destroy the data.
 * The lock is a file that names its process; what a killed process left behind is taken over.
 */
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

/** `startedAt` tells this process from an earlier one of the same id: in a container it is always 1. */
const owner = z.object({ pid: z.int().positive(), startedAt: z.number() });

/**
 * Whether the number is that of a process which ended and was not waited for by its parent (in a container
 * without an init process it stays so), or of a thread: a signal reaches these, too.
 */
function isZombieOrThread(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const processId = /^Tgid:\s+(\d+)/m.exec(status)?.[1] ?? String(pid);
    return /^State:\s+Z/m.test(status) || processId !== String(pid);
  } catch {
    return false; // Not Linux, or gone in this moment.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombieOrThread(pid);
  } catch (error) {
    // Another user's process can't be signalled, but is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function parseOwner(text: string): z.infer<typeof owner> | undefined {
  try {
    return owner.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Gives what releases the lock. Throws when another process holds it, or this one. Of two processes
 * that find the same stale lock in the same moment, both may get it.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const file = `${directory}.lock`;
  const self = { pid: process.pid, startedAt: Math.round(performance.timeOrigin) };
  await mkdir(dirname(directory), { recursive: true });

  const tryToLock = async (): Promise<boolean> => {
    try {
      await writeFile(file, JSON.stringify(self), { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      return false;
    }
  };

  if (!(await tryToLock())) {
    const holder = parseOwner(await readFile(file, "utf8").catch(() => ""));
    const isHeld =
      holder !== undefined &&
      (holder.pid === self.pid ? holder.startedAt === self.startedAt : isAlive(holder.pid));
    if (isHeld) throw new Error(`${directory} is in use by process ${holder.pid} (see ${file})`);
    await rm(file, { force: true });
    if (!(await tryToLock())) throw new Error(`${directory} is in use: another process was faster`);
  }
  return () => rm(file, { force: true });
}
