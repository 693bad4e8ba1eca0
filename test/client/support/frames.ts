/** Server frames with what a test does not care about filled in. */
import type { ServerFrameOf } from "../../../src/codec/index.js";

export function welcome(more: Partial<ServerFrameOf<"welcome">> = {}): ServerFrameOf<"welcome"> {
  return {
    type: "welcome",
    clientId: "me",
    session: "s1",
    resumed: false,
    rooms: [],
    keepalive: 30,
    maxFrameBytes: 65_536,
    server: "test",
    ...more,
  };
}

export function message(
  seq: number,
  more: Partial<ServerFrameOf<"message">> = {},
): ServerFrameOf<"message"> {
  return {
    type: "message",
    seq,
    room: "lobby",
    id: seq.toString(16).padStart(32, "0"),
    from: "bob-1",
    username: "bob",
    text: `text ${seq}`,
    qos: 1,
    ts: 1,
    offset: seq,
    replay: false,
    ...more,
  };
}

export function ok(ref: number, id = "", offset = 0): ServerFrameOf<"ok"> {
  return { type: "ok", ref, id, offset, recoverable: true };
}

export function fail(
  ref: number,
  code: ServerFrameOf<"fail">["code"],
  retryAfterMs = 0,
): ServerFrameOf<"fail"> {
  return { type: "fail", ref, code, reason: "because", retryAfterMs };
}

export function bye(code: ServerFrameOf<"bye">["code"], retryAfterMs = 0): ServerFrameOf<"bye"> {
  return { type: "bye", code, reason: "because", retryAfterMs };
}
