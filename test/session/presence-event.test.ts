import { describe, expect, test } from "@jest/globals";
import { decodePresenceEvent, encodePresenceEvent } from "../../src/session/index.js";

const joined = {
  event: "JOINED",
  room: "lobby",
  clientId: "a1",
  username: "alice",
  ts: 1,
} as const;

describe("a presence event", () => {
  test.each([
    ["a usual one", joined],
    ["one of somebody without a name", { ...joined, event: "LEFT", username: "", ts: 0 }],
    ["one of an MQTT client", { ...joined, protocol: "mqtt-sn" }],
    [
      "one with the longest names",
      {
        ...joined,
        room: "\u{20000}".repeat(64),
        clientId: "c".repeat(64),
        username: "😀".repeat(128),
        ts: Number.MAX_SAFE_INTEGER,
      },
    ],
  ] as const)("is read as it was written: %s", (_, event) => {
    expect(decodePresenceEvent(encodePresenceEvent(event))).toEqual(event);
  });

  test("of the chat protocol may say so", () => {
    const event = JSON.stringify({ ...joined, protocol: "chat" });
    expect(decodePresenceEvent(Buffer.from(event))).toEqual(joined);
  });

  test.each([
    ["no JSON", "JOINED"],
    ["an empty protocol", JSON.stringify({ ...joined, protocol: "" })],
    ["a protocol that is none", JSON.stringify({ ...joined, protocol: "a b" })],
    ["a protocol that is no text", JSON.stringify({ ...joined, protocol: null })],
    ["no object", "null"],
    ["another event", JSON.stringify({ ...joined, event: "DANCED" })],
    ["no room's name", JSON.stringify({ ...joined, room: "a/b" })],
    ["no client id", JSON.stringify({ ...joined, clientId: "a 1" })],
    ["a client id that is too long", JSON.stringify({ ...joined, clientId: "x".repeat(65) })],
    ["no username", JSON.stringify({ ...joined, username: undefined })],
    ["a username that is none", JSON.stringify({ ...joined, username: "a/b" })],
    ["a time that is none", JSON.stringify({ ...joined, ts: "1" })],
    ["an endless time", JSON.stringify(joined).replace('"ts":1', '"ts":1e999')],
    ["a broken time", JSON.stringify({ ...joined, ts: 1.5 })],
    ["a time before 1970", JSON.stringify({ ...joined, ts: -1 })],
    ["more than 1 KiB", JSON.stringify({ ...joined, pad: "x".repeat(1024) })],
  ])("is nothing that has %s", (_, payload) => {
    expect(decodePresenceEvent(Buffer.from(payload))).toBeUndefined();
  });
});
