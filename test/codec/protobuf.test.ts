import { describe, expect, test } from "@jest/globals";
import { openProtobufClient, protobuf } from "../../src/codec/index.js";
import { fromHex, preamble } from "../support/vectors.js";

function decode(hex: string) {
  return protobuf.open({ maxFrameBytes: 1024 }).push(fromHex(`${preamble} ${hex}`));
}

describe("what version 1 does not know", () => {
  test.each([
    ["an empty frame", "00", /empty/],
    ["a frame of field 15", "02 7a 00", /field number 15/],
    ["a frame that is no message", "02 20 01", /field number 4 and wire type 0/],
  ])("%s is unsupported, and the stream goes on", (_name, hex, reason) => {
    expect(decode(`${hex} 02 42 00`)).toEqual([
      { type: "invalid", ref: 0, code: "UNSUPPORTED", reason: expect.stringMatching(reason) },
      { type: "ping", nonce: "" },
    ]);
  });

  test.each([
    ["beside the frame", "04 42 00 78 01"],
    ["within the frame", "06 42 04 7a 02 6869"],
    ["as a group within the frame", "06 42 04 7b 0801 7c"],
  ])("fields %s are ignored", (_name, hex) => {
    expect(decode(hex)).toEqual([{ type: "ping", nonce: "" }]);
  });
});

test("the last of several frames in one message counts, as in every oneof", () => {
  expect(decode("07 4a 00 42 03 0a 01 61")).toEqual([{ type: "ping", nonce: "a" }]);
});

test("a BOM is text", () => {
  expect(decode("07 42 05 0a 03 efbbbf")).toEqual([{ type: "ping", nonce: "\ufeff" }]);
});

test("a frame longer than one chunk and one shorter are told apart by the length alone", () => {
  const codec = protobuf.open({ maxFrameBytes: 1024 });
  codec.push(fromHex(`${preamble} 05 42 03 0a`));
  expect(codec.pendingBytes).toBe(4);
  expect(codec.push(fromHex("01 61 02 4a"))).toEqual([{ type: "ping", nonce: "a" }]);
  expect(codec.pendingBytes).toBe(2);
  expect(codec.push(fromHex("00"))).toEqual([{ type: "bye" }]);
});

test("a client that meets a newer server goes on", () => {
  const client = openProtobufClient({ maxFrameBytes: 1024 });
  expect(client.push(fromHex("03 da 07 00"))).toMatchObject([{ code: "UNSUPPORTED" }]);
  expect(client.push(fromHex("02 4a 00"))).toEqual([{ type: "pong", nonce: "" }]);
});

test("a length is enough for an empty frame, and for one that is too long", () => {
  expect(decode("00")).toMatchObject([{ type: "invalid", code: "UNSUPPORTED" }]);
  expect(decode("81 08")).toMatchObject([{ type: "broken", code: "FRAME_TOO_LARGE" }]);
});
