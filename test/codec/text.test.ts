import { Buffer } from "node:buffer";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { text, type Codec, type Inbound, type ServerFrame } from "../../src/codec/index.js";
import { chunkings } from "../support/chunkings.js";
import { serverVectors } from "../support/vectors.js";
import { serverFrame } from "./arbitraries.js";

const options = { maxFrameBytes: 64 * 1024 };

function type(codec: Codec, ...lines: string[]): Inbound[] {
  return codec.push(Buffer.from(lines.map((line) => `${line}\n`).join("")));
}

function read(codec: Codec, frame: ServerFrame): string {
  return Buffer.from(codec.encode(frame)).toString();
}

function ok(ref: number): ServerFrame {
  return { type: "ok", ref, id: "", offset: 0, recoverable: false };
}

function fail(ref: number, code: "FORBIDDEN" | "NOT_JOINED" | "UNAVAILABLE"): ServerFrame {
  return { type: "fail", ref, code, reason: "no", retryAfterMs: 0 };
}

const hello = {
  type: "hello",
  clientId: "",
  username: "alice",
  password: "",
  keepalive: 0,
  resume: false,
  lastSeq: 0,
  agent: "text",
};
const join = {
  type: "join",
  ref: 1,
  room: "lobby",
  presence: true,
  echo: false,
  history: 0,
};
const say = { type: "say", ref: 1, room: "lobby", text: "hi", key: "" };
const history = { type: "history", ref: 1, room: "lobby", before: "", limit: 20 };

/** Told to a new connection. */
const commands: readonly (readonly [line: string, frame: object])[] = [
  ["/login alice", hello],
  ["/login alice s3cret", { ...hello, password: "s3cret" }],
  ["/login alice s3cret alice-k2", { ...hello, password: "s3cret", clientId: "alice-k2" }],
  ["/login  alice  ", hello],
  ["/join lobby", join],
  ["/join lobby 0", { ...join, qos: 0 }],
  ["/join zürich 2", { ...join, room: "zürich", qos: 2 }],
  ["/leave lobby", { type: "leave", ref: 1, room: "lobby" }],
  ["/say lobby hi", say],
  ["/say lobby  two  blanks ", { ...say, text: " two  blanks " }],
  ["/say lobby /hi\t👋", { ...say, text: "/hi\t👋" }],
  ["/msg bob psst", { type: "say", ref: 1, user: "bob", text: "psst", key: "" }],
  ["/who lobby", { type: "who", ref: 1, room: "lobby" }],
  ["/history lobby", history],
  ["/history lobby 5", { ...history, limit: 5 }],
  ["/history 5 7", { ...history, room: "5", limit: 7 }],
  ["/ping", { type: "ping", nonce: "" }],
  ["/quit", { type: "bye" }],
];

describe.each(commands)("%s", (line, frame) => {
  test.each(chunkings)("is a command, cut %s", (_name, cut) => {
    for (const end of ["\n", "\r\n"]) {
      const codec = text.open(options);
      const inbound = cut(Buffer.from(`${line}${end}`)).flatMap((chunk) => codec.push(chunk));
      expect(inbound).toEqual([frame]);
    }
  });
});

test("many commands in one stream are the same however they are cut, with refs counted up", () => {
  const stream = Buffer.from(commands.map(([line]) => `${line}\n`).join("\r\n \t\n"));
  const [whole, ...others] = chunkings.map(([, cut]) => {
    const codec = text.open(options);
    return cut(stream).flatMap((chunk) => codec.push(chunk));
  });
  expect(whole).toHaveLength(commands.length);
  const refs = whole!.flatMap((frame) => ("ref" in frame ? [frame.ref] : []));
  expect(refs).toEqual(refs.map((_ref, index) => index + 1));
  for (const other of others) expect(other).toEqual(whole);
});

test("/help lists every command", () => {
  const [help] = type(text.open(options), "/help");
  if (help?.type !== "local") throw new Error("no answer");
  const answer = Buffer.from(help.answer).toString();
  for (const [line] of commands) expect(answer).toContain(line.split(" ")[0]);
  expect(answer).toMatch(/^\/login <username> \[password\] \[clientId\] {2}\S/);
  expect(answer).toMatch(/^(?:[ -~]+\n)+$/);
});

describe("what is no command is refused, and the stream goes on:", () => {
  const noRoom = "join a room first: /join <room>";

  test.each([
    ["/nope", "UNSUPPORTED", "there is no command /nope: /help lists the commands"],
    ["/", "UNSUPPORTED", "there is no command /: /help lists the commands"],
    ["/JOIN lobby", "UNSUPPORTED", "there is no command /JOIN: /help lists the commands"],
    ["/constructor", "UNSUPPORTED", "there is no command /constructor: /help lists the commands"],
    [
      `/${"x".repeat(900)}`,
      "UNSUPPORTED",
      `there is no command /${"x".repeat(24)}: /help lists the commands`,
    ],
    ["/login", "BAD_REQUEST", "usage: /login <username> [password] [clientId]"],
    ["/login a b c d", "BAD_REQUEST", "usage: /login <username> [password] [clientId]"],
    ["/join", "BAD_REQUEST", "usage: /join <room> [qos]"],
    ["/join lobby 3", "BAD_REQUEST", "usage: /join <room> [qos]"],
    ["/join the lobby", "BAD_REQUEST", "usage: /join <room> [qos]"],
    ["/leave the lobby", "BAD_REQUEST", "usage: /leave [room]"],
    ["/say", "BAD_REQUEST", "usage: /say <room> <text>"],
    ["/say lobby", "BAD_REQUEST", "usage: /say <room> <text>"],
    ["/say lobby  ", "BAD_REQUEST", "usage: /say <room> <text>"],
    ["/msg bob", "BAD_REQUEST", "usage: /msg <user> <text>"],
    ["/who a b", "BAD_REQUEST", "usage: /who [room]"],
    ["/history lobby many", "BAD_REQUEST", "usage: /history [room] [n]"],
    ["/history lobby 5 5", "BAD_REQUEST", "usage: /history [room] [n]"],
    ["/ping pong", "BAD_REQUEST", "usage: /ping"],
    ["/help me", "BAD_REQUEST", "usage: /help"],
    ["/quit now", "BAD_REQUEST", "usage: /quit"],
    ["hi", "BAD_REQUEST", noRoom],
    ["//hi", "BAD_REQUEST", noRoom],
    ["/leave", "BAD_REQUEST", noRoom],
    ["/who", "BAD_REQUEST", noRoom],
    ["/history", "BAD_REQUEST", noRoom],
    ["/history 5", "BAD_REQUEST", noRoom],
  ])("%s", (line, code, reason) => {
    const codec = text.open(options);
    type(codec, "/login alice");
    expect(type(codec, line, "/ping")).toEqual([
      { type: "invalid", ref: 0, code, reason },
      { type: "ping", nonce: "" },
    ]);
  });
});

test("a line before the login is told what comes first", () => {
  expect(type(text.open(options), "hi")).toMatchObject([
    { code: "BAD_REQUEST", reason: "log in first: /login <username>" },
  ]);
});

describe("the room joined last", () => {
  function spokenIn(codec: Codec): string | undefined {
    const [said] = type(codec, "hi");
    return said?.type === "say" ? said.room : undefined;
  }

  test("takes lines, without a ref", () => {
    const codec = text.open(options);
    type(codec, "/join lobby");
    codec.encode(ok(1));
    expect(type(codec, "hi there ", "//me", "/who", "/history", "/history 5", "/leave")).toEqual([
      { ...say, ref: 0, text: "hi there " },
      { ...say, ref: 0, text: "/me" },
      { type: "who", ref: 2, room: "lobby" },
      { ...history, ref: 3 },
      { ...history, ref: 4, limit: 5 },
      { type: "leave", ref: 5, room: "lobby" },
    ]);
  });

  test("is the one being joined, until that fails", () => {
    const codec = text.open(options);
    type(codec, "/join lobby", "/join dev");
    expect(spokenIn(codec)).toBe("dev");
    codec.encode(ok(1));
    expect(spokenIn(codec)).toBe("dev");
    codec.encode(fail(2, "FORBIDDEN"));
    expect(spokenIn(codec)).toBe("lobby");
  });

  test("is none when no join succeeded", () => {
    const codec = text.open(options);
    type(codec, "/join lobby");
    codec.encode(fail(1, "FORBIDDEN"));
    expect(spokenIn(codec)).toBeUndefined();
  });

  test("is joined again by joining again", () => {
    const codec = text.open(options);
    type(codec, "/join lobby", "/join dev", "/join lobby 2");
    for (const ref of [1, 2, 3]) codec.encode(ok(ref));
    expect(spokenIn(codec)).toBe("lobby");
  });

  test("is joined still when joining it again fails", () => {
    const codec = text.open(options);
    type(codec, "/join lobby", "/join lobby 2");
    codec.encode(ok(1));
    codec.encode(fail(2, "UNAVAILABLE"));
    expect(spokenIn(codec)).toBe("lobby");
  });

  test("is the one before, once it is left", () => {
    const codec = text.open(options);
    type(codec, "/join lobby", "/join dev");
    codec.encode(ok(1));
    codec.encode(ok(2));
    type(codec, "/leave");
    expect(spokenIn(codec)).toBe("lobby");
    codec.encode(ok(3));
    expect(spokenIn(codec)).toBe("lobby");
  });

  test("is still it when it could not be left", () => {
    const codec = text.open(options);
    type(codec, "/join lobby");
    codec.encode(ok(1));
    type(codec, "/leave");
    codec.encode(fail(2, "UNAVAILABLE"));
    expect(spokenIn(codec)).toBe("lobby");
    type(codec, "/leave");
    codec.encode(fail(3, "NOT_JOINED"));
    expect(spokenIn(codec)).toBeUndefined();
  });

  test("is known after a resume", () => {
    const codec = text.open(options);
    codec.encode({
      type: "welcome",
      clientId: "a",
      session: "",
      resumed: true,
      rooms: ["dev", "lobby"],
      keepalive: 0,
      maxFrameBytes: 0,
      server: "",
    });
    expect(spokenIn(codec)).toBe("lobby");
  });
});

describe("answers say what they answer:", () => {
  test("ok", () => {
    const codec = text.open(options);
    type(codec, "/join lobby", "/say lobby hi", "/msg bob psst", "/leave");
    const answers = [1, 2, 3, 4, 4, 99].map((ref) => read(codec, ok(ref)));
    expect(answers).toEqual([
      "ok joined lobby\n",
      "ok said in lobby\n",
      "ok sent to bob\n",
      "ok left lobby\n",
      "ok\n",
      "ok\n",
    ]);
  });

  test("only so many are remembered, the latest ones", () => {
    const codec = text.open(options);
    type(codec, ...Array.from({ length: 1_000 }, () => "/say lobby hi"));
    expect(read(codec, ok(1))).toBe("ok\n");
    expect(read(codec, ok(1_000))).toBe("ok said in lobby\n");
  });
});

const unaddressed = {
  type: "message",
  seq: 1,
  id: "",
  from: "alice-k2",
  username: "alice",
  qos: 1,
  ts: 0,
  offset: 0,
  replay: false,
} as const;
const message = { ...unaddressed, room: "lobby", text: "hi" } as const;
const inbox = { ...unaddressed, user: "bob", text: "psst" } as const;
const data = { ...unaddressed, room: "lobby", data: Buffer.alloc(12) } as const;
const bye = { type: "bye", code: "SHUTTING_DOWN", reason: "the gateway stops" } as const;
const presence = {
  type: "presence",
  room: "lobby",
  clientId: "bob-1",
  username: "bob",
  ts: 0,
} as const;

const lines: readonly (readonly [lines: string, frame: ServerFrame])[] = [
  [
    "ok welcome, alice-k2; /help lists the commands\n",
    {
      type: "welcome",
      clientId: "alice-k2",
      session: "s",
      resumed: false,
      rooms: [],
      keepalive: 0,
      maxFrameBytes: 65_536,
      server: "gw",
    },
  ],
  ["[lobby] alice: hi\n", message],
  ["[lobby] alice-k2: hi\n", { ...message, username: "" }],
  ["[lobby] alice: <12 bytes of data>\n", data],
  ["[lobby] alice: \n", { ...message, text: "" }],
  ["[@alice] psst\n", inbox],
  ["* bob joined lobby\n", { ...presence, event: "JOINED" }],
  ["* bob left lobby\n", { ...presence, event: "LEFT" }],
  ["* bob-1 left lobby\n", { ...presence, username: "", event: "LEFT" }],
  ["", { ...presence, event: "EVENT_UNSPECIFIED" }],
  [
    "- lobby: alice, b\n",
    {
      type: "members",
      ref: 1,
      room: "lobby",
      members: [
        { clientId: "a", username: "alice", since: 0 },
        { clientId: "b", username: "", since: 0 },
      ],
    },
  ],
  ["- lobby: nobody\n", { type: "members", ref: 1, room: "lobby", members: [] }],
  [
    "[lobby] alice: first\n[lobby] alice: second\n",
    {
      type: "page",
      ref: 1,
      room: "lobby",
      messages: [
        { ...message, text: "second" },
        { ...message, text: "first" },
      ],
      more: true,
    },
  ],
  [
    "* nothing was said in lobby\n",
    { type: "page", ref: 1, room: "lobby", messages: [], more: false },
  ],
  ["! FORBIDDEN: no\n", fail(0, "FORBIDDEN")],
  [
    "! RATE_LIMITED: slow down (try again in 2 s)\n",
    { type: "fail", ref: 0, code: "RATE_LIMITED", reason: "slow down", retryAfterMs: 1_500 },
  ],
  [
    "* you have not missed anything in lobby\n",
    { type: "caughtUp", room: "lobby", complete: true, from: 0, to: 0 },
  ],
  [
    "* some of lobby is lost: /history lobby shows what is left\n",
    { type: "caughtUp", room: "lobby", complete: false, from: 3, to: 9 },
  ],
  ["pong\n", { type: "pong", nonce: "" }],
  ["! bye SHUTTING_DOWN: the gateway stops\n", { ...bye, retryAfterMs: 0 }],
  ["! bye SHUTTING_DOWN: the gateway stops (come back in 2 s)\n", { ...bye, retryAfterMs: 2_000 }],
];

test.each(lines)("%j", (expected, frame) => {
  expect(read(text.open(options), frame)).toBe(expected);
});

test("every frame has its line", () => {
  const shown = new Set(lines.map(([, frame]) => frame.type)).add("ok");
  expect(shown).toEqual(new Set(serverVectors.map(({ frame }) => frame.type)));
});

describe("nobody can paint another's terminal:", () => {
  test.each([
    ["a\nb\r\tc", "a\\nb\\r\\tc"],
    ["\u001b[2J\u0007\u0000\u007f", "\\x1b[2J\\x07\\x00\\x7f"],
    ["\u0085\u009b31m", "\\x85\\x9b31m"],
    ["\u202eabc\u2066\u200f", "\\u202eabc\\u2066\\u200f"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["grüße 👋🏽 שלום", "grüße 👋🏽 שלום"],
    ["C:\\n", "C:\\n"],
  ])("%j", (said, shown) => {
    expect(read(text.open(options), { ...message, text: said, username: said })).toBe(
      `[lobby] ${shown}: ${shown}\n`,
    );
  });

  test("whatever a frame holds, its lines have no control characters but their ends", () => {
    fc.assert(
      fc.property(serverFrame, (frame) => {
        const shown = read(text.open(options), frame);
        expect(shown).toMatch(/^(?:[^\p{Cc}\p{Bidi_Control}\u2028\u2029]*\n)*$/u);
        const most = frame.type === "page" ? Math.max(1, frame.messages.length) : 1;
        expect(shown.split("\n").length - 1).toBeLessThanOrEqual(most);
      }),
      { numRuns: 500 },
    );
  });

  test("nor with a command of one's own", () => {
    const codec = text.open(options);
    type(codec, "/join \u001b[2J");
    expect(read(codec, ok(1))).toBe("ok joined \\x1b[2J\n");
  });
});
