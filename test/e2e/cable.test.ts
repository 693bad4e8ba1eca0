/** `chat`, and somebody pulls the cable. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createChatClient, type ChatClient } from "../../src/client/index.js";
import { systemClock } from "../../src/clock.js";
import { createMemoryRoomLog } from "../../src/store/index.js";
import { startChat, type ChatRun } from "../support/chat-run.js";
import { eventually } from "../support/eventually.js";
import { openPortFront, type PortFront } from "../support/port-front.js";
import { startStack, type Stack } from "../support/stack.js";

let stack: Stack;
let cable: PortFront;
let alice: ChatClient;
let bob: ChatRun;
let aliceHeard: string[];

beforeEach(async () => {
  stack = await startStack({
    host: { hook: { generation: "v2" } },
    gateway: { roomLog: createMemoryRoomLog({ clock: systemClock }) },
  });
  cable = await openPortFront();
  cable.lead(stack.host.ports.chat);
  alice = createChatClient({ port: stack.host.ports.chat, username: "alice" });
  aliceHeard = [];
  alice.on("message", ({ text = "" }) => void aliceHeard.push(text));
  await alice.connect();
  await alice.join("lobby");
  bob = startChat(["--port", String(cable.port), "--user", "bob", "--client-id", "bob-1"]);
});

afterEach(async () => {
  bob.ends();
  await bob.exit;
  await alice.disconnect();
  await cable.close();
  await stack.end();
});

test("what was said meanwhile is shown when it is back, in order, and what was typed is said", async () => {
  const lobby = { room: "lobby" };
  await eventually("bob is there", async () =>
    (await alice.who("lobby")).some(({ username }) => username === "bob"),
  );
  await alice.say(lobby, "before");
  await eventually("bob hears", () => bob.output.includes("before"));

  cable.lead(undefined);
  await eventually("bob notices", () => bob.errors.includes("connection lost"));
  for (const n of [1, 2, 3, 4, 5]) await alice.say(lobby, `while away ${n}`);
  bob.types("typed while away\n");

  cable.lead(stack.host.ports.chat);
  await eventually("all is said", () => aliceHeard.includes("typed while away"));
  await alice.say(lobby, "after");
  await eventually("bob has all", () => bob.output.includes("after"));
  const texts = ["before", ...[1, 2, 3, 4, 5].map((n) => `while away ${n}`), "after"];
  expect(bob.output.match(/alice: .*/g)).toEqual(texts.map((text) => `alice: ${text}`));
  expect(aliceHeard).toEqual(["typed while away"]);
});
