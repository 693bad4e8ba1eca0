/** What calls of ConnectionAdapter are answered, literally as EMQX 5.8 does. */
import { describe, expect, test } from "@jest/globals";
import { createChannel } from "../../src/rpc/client.js";
import { CodeResponse, ConnectionAdapterServiceName } from "../../src/rpc/generated/exproto.js";
import { eventually } from "../support/eventually.js";
import { createFakeClock } from "../support/fake-clock.js";
import {
  badParameter,
  close,
  crashed,
  notAlive,
  payload,
  publish,
  rpcCrashed,
  send,
  startTimer,
  subscribe,
  success,
  unexpected,
  unsubscribe,
  type Answer,
  type Call,
} from "./support/adapter-calls.js";
import { useWorlds } from "./support/world.js";

const startWorld = useWorlds();

const tooLong = "x".repeat(65_536);

describe("before Authenticate", () => {
  test.each<[string, Call, Answer]>([
    ["Subscribe is an unexpected call", subscribe("a"), unexpected],
    ["Unsubscribe is an unexpected call", unsubscribe, unexpected],
    ["Publish is an unexpected call", publish("a"), unexpected],
    ["Send succeeds", send, success],
    ["StartTimer succeeds", startTimer(60), success],
    ["Close succeeds", close, success],
  ])("%s", async (_name, call, answer) => {
    const world = await startWorld();
    const { conn } = await world.connect();
    expect(await call(world, conn)).toEqual(answer);
  });
});

describe("parameters", () => {
  test.each<[string, Call]>([
    ["Subscribe at qos 3", subscribe("a", 3)],
    ["Subscribe at qos 255", subscribe("a", 255)],
    ["Publish at qos 3", publish("a", 3)],
    ["StartTimer with an interval of 0", startTimer(0)],
  ])("%s is a type error", async (_name, call) => {
    const world = await startWorld();
    const { conn } = await world.login("client");
    expect(await call(world, conn)).toEqual(badParameter);
  });

  test("an unknown timer type is a type error", async () => {
    const world = await startWorld();
    const { conn } = await world.login("client");
    const channel = createChannel(`127.0.0.1:${world.host.ports.adapter}`);
    // TimerRequest, by hand: 1 = conn, 2 = a type that there is none of, 3 = five seconds.
    const request = Buffer.from([10, conn.length, ...Buffer.from(conn), 16, 9, 24, 5]);
    const answer = await channel.rpc().request(ConnectionAdapterServiceName, "StartTimer", request);
    channel.close();
    expect(CodeResponse.decode(answer)).toEqual(badParameter);
  });

  test.each([
    ["an empty filter", ""],
    ["# before the end", "a/#/b"],
    ["# in a word", "a#"],
    ["NUL", "a\0b"],
    ["65,536 characters", tooLong],
  ])("Subscribe to %s succeeds", async (_name, topic) => {
    const world = await startWorld();
    const { conn } = await world.login("client");
    expect(await subscribe(topic)(world, conn)).toEqual(success);
  });

  test("Unsubscribe from what was never subscribed to succeeds", async () => {
    const world = await startWorld();
    const { conn } = await world.login("client");
    expect(await unsubscribe(world, conn)).toEqual(success);
  });

  test.each([
    ["an empty topic", ""],
    ["a topic below $SYS", "$SYS/x"],
    ["NUL", "a\0b"],
    ["65,536 characters", tooLong],
  ])("Publish to %s succeeds", async (_name, topic) => {
    const world = await startWorld();
    const { conn } = await world.login("client");
    expect(await publish(topic)(world, conn)).toEqual(success);
  });

  test.each<[string, Call]>([
    ["Subscribe to $share", subscribe("$share/group/a")],
    ["Subscribe to $queue", subscribe("$queue/a")],
    ["Publish to a topic with #", publish("a/#")],
    ["Publish to a topic with +", publish("a/+/b")],
  ])("%s crashes the connection", async (_name, call) => {
    const world = await startWorld();
    const client = await world.login("client");
    expect(await call(world, client.conn)).toEqual(crashed);
    await client.isClosed();
    expect(await world.closeReason(client.conn)).toContain("stacktrace");
    expect(await send(world, client.conn)).toEqual(notAlive);
  });
});

describe("connection ids", () => {
  test.each<[string, (conn: string) => string]>([
    ["empty", () => ""],
    ["not base64", () => "!!"],
    ["truncated", (conn) => conn.slice(0, -4)],
    ["without its padding", (conn) => conn.replace(/=*$/, "")],
    ["of another node", (conn) => ofNode(conn, "emqx@10.0.0.99")],
    ["of a node's earlier life", (conn) => ofEarlierLife(conn)],
  ])("%s: unknown", async (_name, spoil) => {
    const world = await startWorld({ node: "emqx@127.0.0.1" });
    const { conn } = await world.connect();
    expect(spoil(conn)).not.toBe(conn);
    expect(await send(world, spoil(conn))).toEqual(crashed);
    expect(await send(world, conn)).toEqual(success);
  });

  test.each<[string, Call]>([
    ["Send", send],
    ["Close", close],
    ["StartTimer", startTimer(60)],
    ["Subscribe", subscribe("a")],
    ["Unsubscribe", unsubscribe],
    ["Publish", publish("a")],
    ["Authenticate", ({ authenticate }, conn) => authenticate(conn)],
  ])("%s for a closed connection: its process is not alive", async (_name, call) => {
    const world = await startWorld();
    const { conn } = await world.login("client");
    await close(world, conn);
    await world.closeReason(conn);
    expect(await call(world, conn)).toEqual(notAlive);
  });

  /** The node's name has the length of the one it takes the place of. */
  function ofNode(conn: string, name: string): string {
    const bytes = Buffer.from(conn, "base64");
    bytes.write(name, 5);
    return bytes.toString("base64");
  }

  /** With another creation, which is the last four bytes. */
  function ofEarlierLife(conn: string): string {
    const bytes = Buffer.from(conn, "base64");
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    return bytes.toString("base64");
  }
});

describe("Send", () => {
  test("writes the bytes", async () => {
    const world = await startWorld();
    const client = await world.connect();
    await world.adapter.Send({ conn: client.conn, bytes: Buffer.from("hello") });
    await client.sees("hello");
  });

  test("with no bytes succeeds and writes nothing", async () => {
    const world = await startWorld();
    const client = await world.connect();
    const bytes = Buffer.alloc(0);
    expect(await world.adapter.Send({ conn: client.conn, bytes })).toEqual(success);
    await send(world, client.conn);
    await client.sees("x");
    expect(client.received).toEqual(payload);
  });

  test("answered before Close is called: everything arrives", async () => {
    const world = await startWorld();
    const client = await world.connect();
    const bytes = Buffer.alloc(300_000, "abc");
    await world.adapter.Send({ conn: client.conn, bytes });
    await close(world, client.conn);
    await client.isClosed();
    expect(client.received.equals(bytes)).toBe(true);
  });

  test("to a client that does not read succeeds; the next call is given up after 5 s", async () => {
    const clock = createFakeClock();
    const world = await startWorld({ clock });
    const client = await world.connect();
    client.socket.pause();
    const bytes = Buffer.alloc(16 * 1024 * 1024);
    expect(await world.adapter.Send({ conn: client.conn, bytes })).toEqual(success);
    const { armed } = clock;
    const answer = send(world, client.conn);
    await eventually("the call waits", () => clock.armed > armed);
    await clock.advance(5_000);
    expect(await answer).toEqual(crashed);
    await clock.advance(10_000);
    expect(await world.closeReason(client.conn)).toBe("{shutdown,timeout}");
  });
});

describe("RawPublish", () => {
  test("asks for no connection and no permission", async () => {
    const acl = [
      { permission: "deny", action: "all", clientId: "exproto", topics: ["#"] },
    ] as const;
    const world = await startWorld({ acl, users: [] });
    expect(await world.adapter.RawPublish({ topic: "a", qos: 0, payload })).toEqual(success);
  });

  test("at qos 3 crashes the call", async () => {
    const world = await startWorld();
    await expect(world.adapter.RawPublish({ topic: "a", qos: 3, payload })).rejects.toMatchObject(
      rpcCrashed,
    );
  });
});
