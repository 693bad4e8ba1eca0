import { Buffer } from "node:buffer";
import { describe, expect, test } from "@jest/globals";
import { ndjson, openNdjsonClient, type Inbound } from "../../src/codec/index.js";

const options = { maxFrameBytes: 64 * 1024 };

function decode(...lines: string[]): Inbound[] {
  return ndjson.open(options).push(Buffer.from(lines.map((line) => `${line}\n`).join("")));
}

const say = { type: "say", ref: 1, room: "lobby", text: "hi", key: "" };
const bytes = (...values: number[]) => Buffer.from(values);

describe("is as lenient as proto3 JSON parsers are:", () => {
  test.each([
    ["a line that ends in CR LF", '{"bye":{}}\r', { type: "bye" }],
    ["blanks", ' { "bye" : { } }\t', { type: "bye" }],
    ["null for a default", '{"ping":{"nonce":null}}', { type: "ping", nonce: "" }],
    ["null for an optional field", '{"say":{"ref":1,"room":"lobby","user":null,"text":"hi"}}', say],
    ["an unknown field", '{"ping":{"nonce":"n","x":{"y":[1]}}}', { type: "ping", nonce: "n" }],
    ["__proto__", '{"ping":{"__proto__":{"nonce":"n"}}}', { type: "ping", nonce: "" }],
    [
      "names as in the proto",
      '{"hello":{"client_id":"a","last_seq":"3"}}',
      { clientId: "a", lastSeq: 3 },
    ],
    ["a uint32 in a string", '{"who":{"ref":"12"}}', { type: "who", ref: 12, room: "" }],
    ["a uint32 with an exponent", '{"who":{"ref":1.2e1}}', { type: "who", ref: 12, room: "" }],
    ["-0", '{"who":{"ref":-0}}', { type: "who", ref: 0, room: "" }],
    ["a uint64 as a number", '{"ack":{"seq":9007199254740991}}', { seq: 9007199254740991 }],
    ["the last of equal keys", '{"ping":{"nonce":"a","nonce":"b"}}', { nonce: "b" }],
    ["escaped surrogate pairs", '{"ping":{"nonce":"\\ud83d\\udc4b"}}', { nonce: "👋" }],
    ["base64", '{"say":{"data":"+/8="}}', { data: bytes(0xfb, 0xff) }],
    ["base64 without padding", '{"say":{"data":"+/8"}}', { data: bytes(0xfb, 0xff) }],
    ["base64 for URLs", '{"say":{"data":"-_8="}}', { data: bytes(0xfb, 0xff) }],
    ["base64 for URLs without padding", '{"say":{"data":"-_8"}}', { data: bytes(0xfb, 0xff) }],
  ])("%s", (_name, line, frame) => {
    const frames = decode(line);
    expect(frames).toHaveLength(1);
    expect(frames[0]).toMatchObject(frame);
  });

  test("a frame's name as in the proto, enum numbers, doubles in strings", () => {
    const client = openNdjsonClient(options);
    const lines = [
      '{"caught_up":{"room":"a"}}',
      '{"bye":{"code":17}}',
      '{"presence":{"event":2,"ts":"1.5e3"}}',
      '{"presence":{"ts":"Infinity"}}',
    ];
    expect(client.push(Buffer.from(lines.map((line) => `${line}\n`).join("")))).toMatchObject([
      { type: "caughtUp", room: "a", complete: false },
      { type: "bye", code: "SHUTTING_DOWN" },
      { type: "presence", event: "LEFT", ts: 1500 },
      { type: "presence", event: "EVENT_UNSPECIFIED", ts: Infinity },
    ]);
  });

  test("blank lines are skipped", () => {
    expect(decode("", " \t", "\r", '{"bye":{}}', "")).toEqual([{ type: "bye" }]);
  });
});

describe("a line that is no command is refused, and the stream goes on:", () => {
  const uint32 = "a whole number from 0 to 4294967295";
  const uint64 = "a whole number from 0 to 9007199254740991";
  const long = "x".repeat(1_000);

  test.each([
    ["{}", 0, "expected one key, the frame's name, got 0"],
    ['{"ping":{},"bye":{}}', 0, "expected one key, the frame's name, got 2"],
    ['{"ping":null}', 0, "ping: expected an object, got null"],
    ['{"ping":[]}', 0, "ping: expected an object, got an array"],
    ['{"ping":"x"}', 0, 'ping: expected an object, got "x"'],
    ['{"say":{"ref":5,"text":1}}', 5, "say.text: expected a string, got 1"],
    ['{"say":{"ref":5,"room":true}}', 5, "say.room: expected a string, got true"],
    ['{"say":{"ref":-1}}', 0, `say.ref: expected ${uint32}, got -1`],
    ['{"say":{"ref":4294967296}}', 0, `say.ref: expected ${uint32}, got 4294967296`],
    ['{"say":{"ref":1.5}}', 0, `say.ref: expected ${uint32}, got 1.5`],
    ['{"say":{"ref":"0x1"}}', 0, `say.ref: expected ${uint32}, got "0x1"`],
    ['{"say":{"ref":""}}', 0, `say.ref: expected ${uint32}, got ""`],
    ['{"say":{"ref":1e400}}', 0, `say.ref: expected ${uint32}, got Infinity`],
    ['{"say":{"ref":"3","qos":{}}}', 3, `say.qos: expected ${uint32}, got an object`],
    ['{"ack":{"seq":9007199254740993}}', 0, `ack.seq: expected ${uint64}, got 9007199254740992`],
    [
      '{"ack":{"seq":"9007199254740992"}}',
      0,
      `ack.seq: expected ${uint64}, got "9007199254740992"`,
    ],
    ['{"join":{"ref":2,"echo":1}}', 2, "join.echo: expected true or false, got 1"],
    ['{"say":{"ref":2,"data":"a"}}', 2, 'say.data: expected bytes in base64, got "a"'],
    ['{"say":{"data":"ab=="}}', 0, undefined],
    ['{"say":{"data":"abc=="}}', 0, 'say.data: expected bytes in base64, got "abc=="'],
    ['{"say":{"data":"a b c"}}', 0, 'say.data: expected bytes in base64, got "a b c"'],
    ['{"say":{"data":7}}', 0, "say.data: expected bytes in base64, got 7"],
    [
      `{"say":{"data":"${long}!"}}`,
      0,
      "say.data: expected bytes in base64, got a string of 1001 characters",
    ],
    [
      '{"say":{"ref":9,"text":"\\ud800"}}',
      9,
      "say.text: expected valid Unicode, got half a surrogate pair",
    ],
  ])("%s", (line, ref, reason) => {
    const [first, second] = decode(line, '{"bye":{}}');
    if (reason === undefined) expect(first).toMatchObject({ type: "say" });
    else expect(first).toEqual({ type: "invalid", ref, code: "BAD_REQUEST", reason });
    expect(second).toEqual({ type: "bye" });
  });

  test.each([
    ['{"shout":{"ref":7}}', 7, 'no frame is called "shout"'],
    ['{"shout":7}', 0, 'no frame is called "shout"'],
    ['{"welcome":{}}', 0, 'no frame is called "welcome"'],
    ['{"__proto__":{"ref":"8"}}', 8, 'no frame is called "__proto__"'],
    ['{"constructor":{}}', 0, 'no frame is called "constructor"'],
    [`{"${long}":{}}`, 0, `no frame is called "${"x".repeat(24)}"…`],
  ])("%s", (line, ref, reason) => {
    expect(decode(line)).toEqual([{ type: "invalid", ref, code: "UNSUPPORTED", reason }]);
  });

  test("a fault within a list says where", () => {
    const client = openNdjsonClient(options);
    const line = '{"members":{"ref":4,"members":[{},{"since":"soon"}]}}\n';
    expect(client.push(Buffer.from(line))).toEqual([
      {
        type: "invalid",
        ref: 4,
        code: "BAD_REQUEST",
        reason: 'members.members.1.since: expected a number, got "soon"',
      },
    ]);
    expect(client.push(Buffer.from('{"page":{"messages":{}}}\n'))).toMatchObject([
      { reason: "page.messages: expected an array, got an object" },
    ]);
    expect(client.push(Buffer.from('{"bye":{"code":"NOPE"}}\n'))).toMatchObject([
      { reason: 'bye.code: expected a name of the enum, got "NOPE"' },
    ]);
  });

  test("deep nesting does no harm", () => {
    const depth = 30_000;
    const nested = `{"ping":{"x":${"[".repeat(depth)}${"]".repeat(depth)}}}`;
    expect(decode(nested)).toEqual([{ type: "ping", nonce: "" }]);
    expect(decode("[".repeat(depth))).toMatchObject([{ type: "broken", code: "BAD_FRAME" }]);
  });
});

test("what is not valid Unicode is written with U+FFFD, so that every client can read it", () => {
  const line = ndjson.open(options).encode({ type: "pong", nonce: "a\ud800b" });
  expect(Buffer.from(line).toString()).toBe('{"pong":{"nonce":"a\ufffdb"}}\n');
});

test("a line never holds another", () => {
  const line = ndjson.open(options).encode({ type: "pong", nonce: "a\n\r\u2028b" });
  expect(Buffer.from(line).toString()).toBe('{"pong":{"nonce":"a\\n\\r\u2028b"}}\n');
});
