import { describe, expect, test } from "@jest/globals";
import { ChatView, fault, note, paint, parseLine, said } from "../../src/cli/chat-lines.js";
import { ChatError, type ChatEvent } from "../../src/client/index.js";
import { message } from "../client/support/frames.js";

test.each([
  ["hello", { name: "say", text: "hello" }],
  ["//x", { name: "say", text: "/x" }],
  ["  ", { name: "nothing" }],
  ["/join den", { name: "join", room: "den" }],
  ["/join", { name: "wrong", reason: "usage: /join <room>" }],
  ["/leave", { name: "leave", room: undefined }],
  ["/who den ", { name: "who", room: "den" }],
  ["/msg bob how are  you", { name: "msg", user: "bob", text: "how are  you" }],
  ["/msg bob", { name: "wrong", reason: "usage: /msg <user> <text>" }],
  ["/history", { name: "history", limit: 20 }],
  ["/history 5", { name: "history", limit: 5 }],
  ["/history 101", { name: "wrong", reason: "usage: /history [1 to 100]" }],
  ["/quit", { name: "quit" }],
  ["/nonsense", { name: "wrong", reason: "there is no /nonsense; /help lists the commands" }],
])("%s is read", (line, command) => expect(parseLine(line)).toEqual(command));

const connected: ChatEvent = { type: "connected", clientId: "me", resumed: true, rooms: [] };
const disconnected: ChatEvent = {
  type: "disconnected",
  reason: "reset",
  attempt: 0,
  retryInMs: 500,
};
const caughtUp: ChatEvent = { type: "caughtUp", room: "lobby" };

function shows(...events: readonly ChatEvent[]): readonly string[] {
  const view = new ChatView();
  return events.flatMap((event) => view.show(event)).map((line) => paint(line, false));
}

describe("shows", () => {
  test.each<readonly [string, readonly ChatEvent[], readonly string[]]>([
    ["a message", [message(1)], ["[lobby] bob: text 1"]],
    ["a sender without a name", [message(1, { username: "" })], ["[lobby] bob-1: text 1"]],
    [
      "others' control characters",
      [message(1, { text: "\u001b[2J\n" })],
      ["[lobby] bob: \\x1b[2J\\n"],
    ],
    ["the first connection", [connected], []],
    [
      "a lost connection, once, and what was missed",
      [
        connected,
        disconnected,
        { ...disconnected, attempt: 1 },
        connected,
        message(1, { replay: true }),
        message(2, { replay: true }),
        caughtUp,
        caughtUp,
      ],
      [
        "-- connection lost (reset), trying again…",
        "-- connected again",
        "[lobby] bob: text 1",
        "[lobby] bob: text 2",
        "-- back in lobby: 2 lines missed",
      ],
    ],
    [
      "who comes",
      [{ type: "presence", room: "lobby", clientId: "b", username: "bob", event: "JOINED", ts: 1 }],
      ["* bob joined lobby"],
    ],
    [
      "a gap of known length",
      [{ type: "gap", room: "lobby", from: 3, to: 3 }],
      ["-- 1 line of lobby could not be sent again; /history may have them"],
    ],
    ["a gap of the inbox", [{ type: "gap", from: 0, to: 0 }], ["-- some messages to you are lost"]],
    [
      "the end",
      [{ type: "fatal", error: new ChatError("TAKEN_OVER", "elsewhere") }],
      ["! [TAKEN_OVER] elsewhere"],
    ],
  ])("%s", (_what, events, lines) => expect(shows(...events)).toEqual(lines));

  test("a direct message", () => {
    const { room, ...direct } = message(1);
    expect(room).toBe("lobby");
    expect(shows({ ...direct, user: "me" })).toEqual(["[@bob] text 1"]);
  });
});

test("colours what nobody said, where colours are wanted", () => {
  expect([said("a"), note("b"), fault("c")].map((line) => paint(line, true))).toEqual([
    "a",
    "\u001b[2m-- b\u001b[0m",
    "\u001b[31m! c\u001b[0m",
  ]);
});
