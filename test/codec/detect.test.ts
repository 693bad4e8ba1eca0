import { Buffer } from "node:buffer";
import { describe, expect, test } from "@jest/globals";
import { encodingNamed, encodings, openCodec, type EncodingName } from "../../src/codec/index.js";

const maxFrameBytes = 1024;

/** Every possible first byte, as docs/PROTOCOL.md has it. */
function expectedFor(byte: number): EncodingName | "blank" | "refused" {
  if ([0x20, 0x09, 0x0d, 0x0a].includes(byte)) return "blank";
  if (byte === 0x00) return "protobuf";
  if (byte === 0x7b) return "ndjson";
  if (byte >= 0x21 && byte <= 0x7e) return "text";
  return byte >= 0xc2 && byte <= 0xf4 ? "text" : "refused";
}

const bytes = Array.from({ length: 256 }, (_, byte) => byte);
const bye = { type: "bye", code: "INTERNAL", reason: "why", retryAfterMs: 0 } as const;

test("the first byte tells", () => {
  const told = bytes.map((byte) => {
    const codec = openCodec({ maxFrameBytes });
    const [fault] = codec.push(Uint8Array.of(byte));
    if (fault !== undefined) return [fault.type, codec.encoding?.name];
    return [codec.encoding?.name];
  });
  const expected = bytes.map((byte) => {
    const what = expectedFor(byte);
    if (what === "refused") return ["broken", "text"];
    return [what === "blank" ? undefined : what];
  });
  expect(told).toEqual(expected);
});

test.each(["\u0000CH\u0001", "{", "/"])("blanks before %j do not count", (opening) => {
  const blank = openCodec({ maxFrameBytes });
  expect(blank.push(Buffer.from(" \t\r\n"))).toEqual([]);
  expect(blank.encoding).toBeUndefined();
  expect(blank.pendingBytes).toBe(0);
  blank.push(Buffer.from(` \n${opening}`));

  const plain = openCodec({ maxFrameBytes });
  plain.push(Buffer.from(opening));
  expect(blank.encoding).toBe(plain.encoding);
  expect(blank.pendingBytes).toBe(plain.pendingBytes);
});

describe("what is sent", () => {
  test("is nothing as long as nobody knows how", () => {
    const codec = openCodec({ maxFrameBytes });
    expect(codec.encode(bye)).toHaveLength(0);
    codec.push(Buffer.alloc(0));
    expect(codec.encode(bye)).toHaveLength(0);
  });

  test.each([
    ["\u0000CH\u0001", "protobuf"],
    ["{", "ndjson"],
    ["/", "text"],
    ["\u0016\u0003", "text"],
  ])("after %j is %s", (opening, name) => {
    const codec = openCodec({ maxFrameBytes });
    codec.push(Buffer.from(opening));
    const expected = encodingNamed(name)!.open({ maxFrameBytes }).encode(bye);
    expect(Buffer.from(codec.encode(bye))).toEqual(Buffer.from(expected));
  });
});

test("encodings are found by their names", () => {
  expect(encodings.map(({ name }) => encodingNamed(name))).toEqual(encodings);
  expect(encodingNamed("morse")).toBeUndefined();
});

test("only text mode acknowledges by itself", () => {
  const names = encodings.filter(({ selfAcknowledging }) => selfAcknowledging);
  expect(names.map(({ name }) => name)).toEqual(["text"]);
});
