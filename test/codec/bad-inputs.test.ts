import { Buffer } from "node:buffer";
import { describe, expect, test } from "@jest/globals";
import { openCodec } from "../../src/codec/index.js";
import { chunkings } from "../support/chunkings.js";
import { fromHex } from "../support/vectors.js";

const maxFrameBytes = 32;

interface BadInput {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly code: "BAD_FRAME" | "FRAME_TOO_LARGE" | "UNSUPPORTED";
  readonly reason: RegExp;
}

function hex(name: string, bytes: string, code: BadInput["code"], reason: RegExp): BadInput {
  return { name, bytes: fromHex(bytes), code, reason };
}

function line(
  name: string,
  bytes: string | Uint8Array,
  code: BadInput["code"],
  reason: RegExp,
): BadInput {
  return { name, bytes: Buffer.from(bytes), code, reason };
}

const noMessage = /not a valid protobuf message/;

const badInputs: readonly BadInput[] = [
  hex("a first byte of no encoding", "16 03 01", "BAD_FRAME", /byte 16/),
  hex("telnet's IAC first", "ff fb 1f", "BAD_FRAME", /byte ff/),
  hex("DEL first", "7f", "BAD_FRAME", /byte 7f/),
  hex("a UTF-8 continuation first", "80", "BAD_FRAME", /byte 80/),
  hex("an overlong lead byte, after blanks", "20 09 0d 0a c1 81", "BAD_FRAME", /byte c1/),
  hex("NUL, then no C", "00 00", "BAD_FRAME", /00 43 48 01/),
  hex("NUL, C, then no H", "00 43 43", "BAD_FRAME", /00 43 48 01/),
  hex("version 2", "00 43 48 02", "UNSUPPORTED", /version 2/),
  hex("version 0", "00 43 48 00", "UNSUPPORTED", /version 0/),
  hex("a length of five bytes", "00434801 80 80 80 80 01", "BAD_FRAME", /at most 4 bytes/),
  hex("a length over the limit", "00434801 21", "FRAME_TOO_LARGE", /at most 32 bytes/),
  hex("a length of 2^28 - 1", "00434801 ff ff ff 7f", "FRAME_TOO_LARGE", /at most 32 bytes/),
  hex("a message cut short", "00434801 03 42 05 0a", "BAD_FRAME", noMessage),
  hex("a string longer than its message", "00434801 06 42 02 0a 03 61 61", "BAD_FRAME", noMessage),
  hex("the same, within the frame", "00434801 07 42 03 0a 03 616161", "BAD_FRAME", noMessage),
  hex("an end group within a message", "00434801 04 42 02 0c 00", "BAD_FRAME", noMessage),
  hex("a tag of 0 within a message", "00434801 04 42 02 00 00", "BAD_FRAME", noMessage),
  hex("a tag of 0", "00434801 01 00", "BAD_FRAME", noMessage),
  hex("half a tag behind the message", "00434801 03 42 00 80", "BAD_FRAME", noMessage),
  hex("a string that is not UTF-8", "00434801 05 42 03 0a 01 ff", "BAD_FRAME", noMessage),
  hex("a surrogate in UTF-8", "00434801 07 42 05 0a 03 eda080", "BAD_FRAME", noMessage),
  hex("seq 2^53", "00434801 0b 2a 09 08 8080808080808010", "BAD_FRAME", noMessage),
  hex(
    "a varint of eleven bytes",
    "00434801 0e 2a 0c 08 ffffffffffffffffffff01",
    "BAD_FRAME",
    noMessage,
  ),
  line("JSON that does not end", "{\n", "BAD_FRAME", /JSON/),
  line("two objects in a line", "{}{}\n", "BAD_FRAME", /JSON/),
  line("JSON with a BOM", '{"ping":{}}\n\ufeff{}\n', "BAD_FRAME", /JSON/),
  line("an array", '{"ping":{}}\n[1]\n', "BAD_FRAME", /object/),
  line("null", "{}\nnull\n", "BAD_FRAME", /object/),
  line("a number", "{}\n1\n", "BAD_FRAME", /object/),
  line("JSON that is not UTF-8", Buffer.from('{"a":"\xff"}\n', "latin1"), "BAD_FRAME", /UTF-8/),
  line("a JSON line over the limit", `{"a":"${"x".repeat(25)}"}\n`, "FRAME_TOO_LARGE", /32/),
  line("a JSON line without end", `{${" ".repeat(32)}`, "FRAME_TOO_LARGE", /32/),
  line("a CR at the limit, no LF", `{${" ".repeat(31)}\rx`, "FRAME_TOO_LARGE", /32/),
  line("a text line over the limit", `${"x".repeat(33)}\n`, "FRAME_TOO_LARGE", /32/),
  line("a text line that is not UTF-8", Buffer.from("h\xe9\n", "latin1"), "BAD_FRAME", /UTF-8/),
  line("telnet's IAC later", Buffer.from("/help\n\xff\xfb\n", "latin1"), "BAD_FRAME", /UTF-8/),
];

describe.each(badInputs)("$name", ({ bytes, code, reason }) => {
  test.each(chunkings)("is broken, cut %s, and ends the stream", (_name, cut) => {
    const codec = openCodec({ maxFrameBytes });
    const inbound = [bytes, Buffer.from('{"ping":{}}\n/help\n')]
      .flatMap(cut)
      .flatMap((chunk) => codec.push(chunk));
    const faults = inbound.filter(({ type }) => type === "broken");
    expect(faults).toEqual([{ type: "broken", code, reason: expect.stringMatching(reason) }]);
    expect(inbound.at(-1)).toBe(faults[0]);
    expect(codec.pendingBytes).toBe(0);
  });

  test("can still be told what was wrong", () => {
    const codec = openCodec({ maxFrameBytes });
    codec.push(bytes);
    const bye = codec.encode({ type: "bye", code, reason: "why", retryAfterMs: 0 });
    expect(bye.length).toBeGreaterThan(0);
  });
});

describe("the limit", () => {
  const frame = (bytes: number) => Buffer.from(`{"ping":{}}${" ".repeat(bytes - 11)}`);

  test.each(["\n", "\r\n"])("does not count the line's end %j", (end) => {
    for (const [, cut] of chunkings) {
      const codec = openCodec({ maxFrameBytes });
      const stream = Buffer.concat([frame(maxFrameBytes), Buffer.from(end)]);
      const inbound = cut(stream).flatMap((chunk) => codec.push(chunk));
      expect(inbound).toEqual([{ type: "ping", nonce: "" }]);
    }
  });

  test("refuses a length before the body comes", () => {
    const codec = openCodec({ maxFrameBytes });
    expect(codec.push(fromHex("00434801 20"))).toEqual([]);
    codec.maxFrameBytes = 31;
    expect(codec.push(fromHex("00"))).toMatchObject([{ code: "FRAME_TOO_LARGE" }]);
  });

  test("can be raised on the way", () => {
    const codec = openCodec({ maxFrameBytes });
    codec.push(frame(maxFrameBytes));
    codec.maxFrameBytes = 40;
    expect(codec.push(Buffer.from("        \n"))).toEqual([{ type: "ping", nonce: "" }]);
  });

  test("that is raised before the first byte counts from then on", () => {
    const codec = openCodec({ maxFrameBytes });
    codec.maxFrameBytes = 40;
    expect(codec.push(Buffer.concat([frame(40), Buffer.from("\n")]))).toHaveLength(1);
    expect(codec.maxFrameBytes).toBe(40);
  });
});
