import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createArchive } from "../../src/archive/index.js";
import type { ArchivePlace } from "../../src/archive/index.js";
import { toLine } from "../../src/archive/export.js";
import { exportArchive } from "../../src/cli/archive.js";
import { logEntries } from "./entries.js";

const lobby = logEntries(3);
const bare = logEntries(2, { topic: "bare", epoch: 9 });
const painted = logEntries(1, { topic: "\x1b[31mred" });

let root: string;
let place: ArchivePlace;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "archive-cli-"));
  place = { directory: join(root, "archive") };
  const archive = createArchive(place);
  await archive.write([...lobby, ...bare, ...painted]);
  await archive.close();
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function run(
  target: string,
  more: { file?: string; place?: ArchivePlace; tty?: boolean } = {},
) {
  const { tty = false, ...options } = more;
  const stdout = new PassThrough();
  const stderr = Object.assign(new PassThrough(), { isTTY: tty });
  const code = await exportArchive({
    ...{ place, target, stdout, stderr, ...options },
    topicOf(room) {
      if (room.includes("/")) throw new RangeError("no name of a room");
      return `chat/room/${room}`;
    },
  });
  const text = (stream: PassThrough) => String(stream.read() ?? "");
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

describe("archive export", () => {
  test.each([
    ["a room", "lobby", lobby],
    ["a topic", "chat/room/lobby", lobby],
    ["a topic that could be a room", "bare", bare],
  ])("of %s goes to stdout", async (_name, target, entries) => {
    const { code, stdout, stderr } = await run(target);
    expect(code).toBe(0);
    expect(stdout).toBe(entries.map(toLine).join(""));
    expect(stderr).toBe(`${entries.length} messages of ${entries[0]!.topic}\n`);
  });

  test("goes to a file, and shows its progress at a terminal", async () => {
    const file = join(root, "lobby.ndjson");
    const { code, stdout, stderr } = await run("lobby", { file, tty: true });
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toContain("3/3 messages");
    await expect(readFile(file, "utf8")).resolves.toBe(lobby.map(toLine).join(""));
  });

  test.each([
    [
      "of what is not there",
      "nowhere",
      () => ({}),
      'nothing is archived of a topic or room "nowhere". There are:\n  \ufffd[31mred\n  bare\n  chat/room/lobby\n',
    ],
    [
      "from no archive",
      "lobby",
      () => ({ place: { directory: join(root, "none") } }),
      /^there is no archive in .*none\n$/,
    ],
    [
      "to where no file can be",
      "lobby",
      () => ({ file: join(root, "none", "f") }),
      /^the export ended: ENOENT: no such file or directory, open .*\n$/,
    ],
    [
      "from a database that is away",
      "lobby",
      () => ({ place: { url: "postgres://u:s3cret@127.0.0.1:1/d" } }),
      "the export ended: SQL: connect ECONNREFUSED 127.0.0.1:1\n",
    ],
    [
      "from a URL that is none",
      "lobby",
      () => ({ place: { url: "s3cret" } }),
      /^the export ended: the archive's URL is not of the form postgres\S+\n$/,
    ],
  ])("%s says what is wrong", async (_name, target, options, message) => {
    const { code, stdout, stderr } = await run(target, options());
    expect([code, stdout]).toEqual([1, ""]);
    if (typeof message === "string") expect(stderr).toBe(message);
    else expect(stderr).toMatch(message);
    expect(stderr).not.toContain("s3cret");
  });
});
