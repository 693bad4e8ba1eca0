/** The client against host and gateway. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createChatClient, type ChatClient } from "../../src/client/index.js";
import { eventually } from "../support/eventually.js";
import { startStack, type Stack } from "../support/stack.js";

let stack: Stack;
let clients: ChatClient[];

beforeEach(async () => {
  stack = await startStack();
  clients = [];
});

afterEach(async () => {
  for (const client of clients) await client.close();
  await stack.end();
});

async function member(username: string): Promise<{ client: ChatClient; heard: string[] }> {
  const client = createChatClient({
    port: stack.host.ports.chat,
    username,
    clientId: `${username}-1`,
    reconnect: { initialDelayMs: 20, maxDelayMs: 50 },
  });
  clients.push(client);
  const heard: string[] = [];
  client.on("message", ({ username: from, text }) => heard.push(`${from}: ${text ?? ""}`));
  await client.connect();
  await client.join("lobby");
  return { client, heard };
}

test("two clients talk, also after the gateway was away", async () => {
  const alice = await member("alice");
  const bob = await member("bob");
  await alice.client.say({ room: "lobby" }, "hi");
  await eventually("hi", () => bob.heard.includes("alice: hi"));
  const members = await alice.client.who("lobby");
  expect(members.map(({ username }) => username).sort()).toEqual(["alice", "bob"]);

  await stack.stopGateway();
  const isAway = () => alice.client.phase !== "online" && bob.client.phase !== "online";
  await eventually("both are away", isAway);
  const saying = alice.client.say({ room: "lobby" }, "while away");
  await stack.startGateway();
  await saying;
  await eventually("bob is in again", () => bob.client.phase === "online");
  await bob.client.join("lobby");
  await alice.client.say({ room: "lobby" }, "again");
  await eventually("again", () => bob.heard.includes("alice: again"));
});
