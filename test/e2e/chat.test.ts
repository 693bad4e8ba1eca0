/** Host, gateway and clients over real sockets, for both handler services. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openProtobufClient } from "../../src/codec/index.js";
import type { HandlerServiceName } from "../../src/host/index.js";
import type { FrameClient } from "../support/chat-client.js";
import { eventually } from "../support/eventually.js";
import { startStack, type Stack } from "../support/stack.js";

const services: readonly HandlerServiceName[] = ["ConnectionUnaryHandler", "ConnectionHandler"];

describe.each(services)("over %s", (service) => {
  let stack: Stack;
  beforeEach(async () => {
    stack = await startStack({
      host: {
        service,
        users: [
          { username: "alice", password: "a" },
          { username: "bob", password: "b" },
        ],
        acl: [{ permission: "deny", action: "all", topics: ["chat/room/secret"] }],
      },
    });
  });
  afterEach(() => stack.end());

  async function login(client: FrameClient): Promise<void> {
    client.sends({ hello: { username: "alice", password: "a" } });
    await client.hears("welcome");
  }

  test("people chat in text mode", async () => {
    const alice = await stack.text();
    alice.write("/login alice a\r\n/join lobby\r\n");
    await alice.sees("ok joined lobby\n");
    const bob = await stack.text();
    bob.write("/login bob b\n/join lobby\nhi, grüße 🎉\n");
    await alice.sees("* bob joined lobby\n[lobby] bob: hi, grüße 🎉\n");
    alice.write("/msg bob psst\n/who\n");
    await bob.sees("[@alice] psst\n");
    await alice.sees("ok sent to bob\n- lobby: alice, bob\n");
    bob.write("/quit\n");
    await bob.isClosed();
    await alice.sees("* bob left lobby\n");
  });

  test("all three encodings and both kinds of MQTT clients are in one room", async () => {
    const text = await stack.text();
    text.write("/login bob b\n/join lobby\n");
    await text.sees("ok joined lobby");
    const clients = [await stack.ndjson(), await stack.protobuf()];
    for (const client of clients) {
      await login(client);
      client.sends({ join: { ref: 1, room: "lobby" } });
      await client.hears("ok");
    }
    const credentials = { username: "alice", password: "a" };
    const tcp = await stack.mqtt(credentials);
    const web = await stack.mqtt({ ...credentials, protocol: "ws" });
    await tcp.listens("chat/room/#");
    await web.listens("chat/room/lobby");

    const [ndjson, protobuf] = clients;
    ndjson?.sends({ say: { room: "lobby", text: "from ndjson" } });
    protobuf?.sends({ say: { room: "lobby", text: "from protobuf" } });
    await web.client.publishAsync("chat/room/lobby", "from MQTT", { qos: 1 });

    expect(await tcp.hears("from ndjson")).toBe("chat/room/lobby");
    expect(await web.hears("from protobuf")).toBe("chat/room/lobby");
    await text.sees("from ndjson");
    await text.sees("from protobuf");
    await text.sees("from MQTT");
    const texts = [await protobuf?.hears("message"), await protobuf?.hears("message")];
    expect(texts.map((message) => message?.text).sort()).toEqual(["from MQTT", "from ndjson"]);
  });

  test("a message of 60 KB and one of bytes arrive as they were", async () => {
    const alice = await stack.protobuf();
    await login(alice);
    alice.sends({ join: { ref: 1, room: "lobby", echo: true } });
    await alice.hears("ok");
    const mqtt = await stack.mqtt({ username: "bob", password: "b" });
    await mqtt.listens("chat/room/lobby");

    const text = "é".repeat(30_000);
    const data = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    alice.sends({ say: { room: "lobby", text } }, { say: { room: "lobby", data } });
    expect(await alice.hears("message")).toMatchObject({ text });
    expect(await alice.hears("message")).toMatchObject({ data: data.toString("base64") });
    expect(await mqtt.hears(text)).toBe("chat/room/lobby");
    await eventually("the bytes", () => mqtt.heard.some(({ payload }) => payload.equals(data)));
  });

  test("a stream that comes byte by byte is the same stream", async () => {
    const slow = await stack.text();
    const hello =
      '{"hello":{"username":"alice","password":"a"}}\n{"join":{"ref":7,"room":"grüße"}}\n';
    for (const byte of Buffer.from(hello)) slow.write(Buffer.of(byte));
    await slow.sees('{"ok":{"ref":7}}\n');

    const codec = openProtobufClient({ maxFrameBytes: 65_536 });
    const binary = await stack.text();
    const bytes = codec.encode({
      type: "hello",
      clientId: "p1",
      username: "bob",
      password: "b",
      resume: false,
      lastSeq: 0,
      agent: "",
    });
    for (const byte of bytes) binary.write(Buffer.of(byte));
    await eventually("welcome", () => codec.push(binary.received)[0]?.type === "welcome");
  });

  test("a wrong password, a denied room and a bad frame get what the protocol says", async () => {
    const stranger = await stack.ndjson();
    stranger.sends({ hello: { username: "alice", password: "guess" } });
    expect(await stranger.hears("bye")).toMatchObject({ code: "UNAUTHENTICATED" });
    await stranger.isClosed();

    const alice = await stack.ndjson();
    await login(alice);
    alice.sends({ join: { ref: 1, room: "secret" } });
    expect(await alice.hears("fail")).toMatchObject({ ref: 1, code: "FORBIDDEN" });
    alice.write("{oops\n");
    expect(await alice.hears("bye")).toMatchObject({ code: "BAD_FRAME" });
    await alice.isClosed();

    const binary = await stack.text();
    binary.write(Buffer.of(0x00, 0x43, 0x48, 0x02));
    await binary.isClosed();
    expect(binary.received.toString("latin1")).toContain("version 2 is not known here");
  });

  test("a frame that is too long is refused before it has come", async () => {
    const alice = await stack.ndjson();
    await login(alice);
    alice.write(`{"say":{"room":"lobby","text":"${"x".repeat(70_000)}`);
    expect(await alice.hears("bye")).toMatchObject({ code: "FRAME_TOO_LARGE" });
    await alice.isClosed();
  });

  test("a flood is refused, then cut off, and harms nobody else", async () => {
    const bob = await stack.ndjson();
    bob.sends({ hello: { username: "bob", password: "b" } });
    await bob.hears("welcome");
    const alice = await stack.ndjson();
    await login(alice);
    alice.write('{"ping":{}}\n'.repeat(1000));
    expect(await alice.hears("fail")).toMatchObject({ code: "RATE_LIMITED" });
    expect(await alice.hears("bye")).toMatchObject({ code: "RATE_LIMITED" });
    await alice.isClosed();
    bob.sends({ ping: { nonce: "x" } });
    expect(await bob.hears("pong")).toEqual({ nonce: "x" });
  });

  test("a second login takes over", async () => {
    const old = await stack.ndjson();
    old.sends({ hello: { clientId: "a1", username: "alice", password: "a" } });
    await old.hears("welcome");
    const fresh = await stack.ndjson();
    fresh.sends({ hello: { clientId: "a1", username: "alice", password: "a" } });
    await fresh.hears("welcome");
    await old.isClosed();
    fresh.sends({ ping: {} });
    await fresh.hears("pong");
  });

  test("a client that goes away without a word has left", async () => {
    const alice = await stack.ndjson();
    await login(alice);
    await alice.asks("join", { room: "lobby", presence: true });
    const bob = await stack.ndjson();
    bob.sends({ hello: { clientId: "b1", username: "bob", password: "b" } });
    bob.sends({ join: { ref: 1, room: "lobby" } });
    await bob.hears("ok");
    bob.socket.resetAndDestroy();
    expect(await alice.hears("presence")).toMatchObject({ clientId: "b1", event: "JOINED" });
    expect(await alice.hears("presence")).toMatchObject({ clientId: "b1", event: "LEFT" });
    await eventually("one connection is left", () => stack.gateway.stats().connections === 1);
  });

  test("a silent client is closed by EMQX's timer", async () => {
    const alice = await stack.ndjson();
    alice.sends({ hello: { username: "alice", password: "a", keepalive: 1 } });
    await alice.hears("welcome");
    await alice.isClosed();
    await eventually("it is gone here too", () => stack.gateway.stats().connections === 0);
  });

  test("connect, speak and hang up in one go leaves nothing behind", async () => {
    const clients = await Promise.all(Array.from({ length: 30 }, () => stack.text()));
    for (const client of clients) client.socket.end("/login alice a\n/join lobby\n/who\n");
    await Promise.all(clients.map((client) => client.isClosed()));
    await eventually("all are gone", () => {
      const { connections, heldBytes } = stack.gateway.stats();
      return connections === 0 && heldBytes === 0;
    });
    await eventually("the host has nobody", () => stack.host.stats().connections === 0);
  });
});
