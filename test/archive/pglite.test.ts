import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createArchive } from "../../src/archive/index.js";
import { createPgliteDriver } from "../../src/archive/pglite-driver.js";
import { createSqlArchive } from "../../src/archive/sql-archive.js";
import { eventually } from "../support/eventually.js";
import { archiveContract } from "./archive.contract.js";
import { logEntries } from "./entries.js";

describe("an archive in PGlite, in memory", () => {
  archiveContract(() => Promise.resolve(createArchive({ directory: undefined })));
});

test("tables that can't be made are made once they can be", async () => {
  const driver = createPgliteDriver({ directory: undefined });
  await driver.script("CREATE TABLE exproto_messages (another text)");
  const archive = createSqlArchive(driver, { maxRows: 10, maxBytes: 1_000 });
  await expect(archive.write(logEntries(1))).rejects.toMatchObject({ code: "INTERNAL" });
  await driver.script("DROP TABLE exproto_messages");
  await expect(archive.write(logEntries(1))).resolves.toBe(1);
  await archive.close();
});

describe("an archive in a directory", () => {
  let root: string;
  let directory: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "pglite-"));
    directory = join(root, "deep", "archive");
    // A start that was killed half way.
    await mkdir(`${directory}.new`, { recursive: true });
    await writeFile(join(`${directory}.new`, "PG_VERSION"), "18");
    const archive = createArchive({ directory });
    await archive.write(logEntries(3));
    await archive.close();
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  test("is there for the next process", async () => {
    const archive = createArchive({ directory });
    await expect(archive.count("chat/room/lobby")).resolves.toBe(3);
    await archive.close();
    await expect(archive.count("chat/room/lobby")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("is for one at a time", async () => {
    const first = createArchive({ directory });
    await first.count("chat/room/lobby");
    const second = createArchive({ directory });
    await expect(second.ready()).resolves.toBe(false);
    await expect(second.topics()).rejects.toMatchObject({
      code: "UNAVAILABLE",
      cause: { message: expect.stringContaining(`in use by process ${process.pid}`) },
    });
    await first.close();
    await expect(second.topics()).resolves.toEqual(["chat/room/lobby"]);
    await second.close();
  });

  test("is not taken from another process, until that has ended", async () => {
    const other = spawn("sleep", ["60"]);
    await once(other, "spawn");
    const lock = `${directory}.lock`;
    await writeFile(lock, JSON.stringify({ pid: other.pid, startedAt: 1 }));
    const archive = createArchive({ directory });
    await expect(archive.ready()).resolves.toBe(false);
    other.kill("SIGKILL");
    await once(other, "exit");
    await expect(archive.ready()).resolves.toBe(true);
    await expect(readFile(lock, "utf8")).resolves.toContain(`"pid":${process.pid}`);
    await archive.close();
  });

  test.each([
    ["an earlier process of this id", JSON.stringify({ pid: process.pid, startedAt: 1 })],
    ["nobody", ""],
  ])("is taken from %s", async (_name, lock) => {
    await writeFile(`${directory}.lock`, lock);
    const archive = createArchive({ directory });
    await expect(archive.ready()).resolves.toBe(true);
    await archive.close();
  });

  // In a container that starts again the same small numbers come again.
  (process.platform === "linux" ? test : test.skip)(
    "is taken from a number that is a thread's now",
    async () => {
      const threads = await readdir("/proc/self/task");
      const pid = threads.map(Number).find((thread) => thread !== process.pid);
      await writeFile(`${directory}.lock`, JSON.stringify({ pid, startedAt: 1 }));
      const archive = createArchive({ directory });
      await expect(archive.ready()).resolves.toBe(true);
      await archive.close();
    },
  );

  // Elsewhere it can't be told from one that runs.
  (process.platform === "linux" ? test : test.skip)(
    "is taken from a process that ended and that nobody waited for",
    async () => {
      const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"]);
      const [printed] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(printed.toString());
      // A shell would wait for it.
      await eventually("the parent is no shell any more", async () =>
        (await readFile(`/proc/${parent.pid}/comm`, "utf8")).startsWith("sleep"),
      );
      process.kill(pid, "SIGKILL");
      await eventually("it has ended", async () =>
        (await readFile(`/proc/${pid}/status`, "utf8")).includes("zombie"),
      );
      await writeFile(`${directory}.lock`, JSON.stringify({ pid, startedAt: 1 }));
      const archive = createArchive({ directory });
      await expect(archive.ready()).resolves.toBe(true);
      await archive.close();
      parent.kill("SIGKILL");
      await once(parent, "exit");
    },
  );

  test("leaves other people's files alone", async () => {
    const taken = join(root, "taken");
    await mkdir(taken);
    await writeFile(join(taken, "thesis.txt"), "years of work");
    const archive = createArchive({ directory: taken });
    await expect(archive.topics()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await archive.close();
    await expect(readFile(join(taken, "thesis.txt"), "utf8")).resolves.toBe("years of work");
  });
});
