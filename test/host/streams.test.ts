/** ConnectionHandler: a client stream for each method of a connection, as EMQX 5.8 keeps them. */
import { describe, expect, test } from "@jest/globals";
import type { HandlerMethod, HostOptions } from "../../src/host/index.js";
import { eventually } from "../support/eventually.js";
import { createFakeClock } from "../support/fake-clock.js";
import { useWorlds, type World } from "./support/world.js";

const startWorldWith = useWorlds();

/** Events go out without delay, unless said. */
const startWorld = (options: HostOptions = {}) =>
  startWorldWith({ service: "ConnectionHandler", flushDelayMs: () => 0, ...options });

const streamsOf = (world: World, conn: string) =>
  world.handler.streams.filter((stream) => stream.conn === conn);

const seenMethods = (world: World) => world.handler.events.map(({ method }) => method);

describe("the streams of a connection", () => {
  test("one for each method, however many events", async () => {
    const world = await startWorld();
    const client = await world.login("client");
    const { conn } = client;
    await world.adapter.Subscribe({ conn, topic: "t", qos: 0 });
    for (const count of [1, 2, 3]) {
      client.socket.write("x");
      await eventually("a byte", () => Buffer.concat(world.bytesOf(conn)).length === count);
      await world.adapter.Publish({ conn, topic: "t", qos: 0, payload: Buffer.from("x") });
      await world.hears(conn, count);
    }
    client.socket.end();
    expect(await world.closeReason(conn)).toBe("{shutdown,tcp_closed}");
    expect(streamsOf(world, conn).map(({ method }) => method)).toEqual([
      "OnSocketCreated",
      "OnReceivedBytes",
      "OnReceivedMessages",
      "OnSocketClosed",
    ]);
  });

  test("are never ended by the host, also when the connection is", async () => {
    const world = await startWorld();
    for (const count of [3, 6, 9, 12, 15]) {
      const client = await world.connect();
      client.socket.end("x");
      await world.closeReason(client.conn);
      await eventually("its streams", () => world.handler.streams.length === count);
    }
    expect(world.host.stats().connections).toBe(0);
    expect(world.handler.streams.filter(({ isOver }) => isOver)).toEqual([]);
  });

  test("keep the order within a method, in chunks of at most 4096 bytes", async () => {
    const world = await startWorld();
    const client = await world.connect();
    const sent = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251));
    client.socket.write(sent);
    const all = () => Buffer.concat(world.bytesOf(client.conn));
    await eventually("all bytes", () => all().length === sent.length);
    expect(all().equals(sent)).toBe(true);
    expect(Math.max(...world.bytesOf(client.conn).map(({ length }) => length))).toBe(4096);
  });
});

describe("the order across methods", () => {
  const delays = (created: number, bytes: number, closed: number) => (method: HandlerMethod) =>
    ({
      OnSocketCreated: created,
      OnReceivedBytes: bytes,
      OnSocketClosed: closed,
      OnReceivedMessages: 0,
      OnTimerTimeout: 0,
    })[method];

  test.each<[string, number, number, number, readonly HandlerMethod[]]>([
    ["as it was", 1, 2, 3, ["OnSocketCreated", "OnReceivedBytes", "OnSocketClosed"]],
    ["closed first", 3, 2, 1, ["OnSocketClosed", "OnReceivedBytes", "OnSocketCreated"]],
    ["bytes first", 2, 1, 3, ["OnReceivedBytes", "OnSocketCreated", "OnSocketClosed"]],
    ["closed between", 3, 1, 2, ["OnReceivedBytes", "OnSocketClosed", "OnSocketCreated"]],
  ])("%s: whatever the flush delays make it", async (_name, created, bytes, closed, order) => {
    const clock = createFakeClock();
    const world = await startWorld({ clock, flushDelayMs: delays(created, bytes, closed) });
    (await world.dial()).socket.end("x");
    await eventually("it is over", () => clock.armed >= 3 && world.host.stats().connections === 0);
    for (const count of [1, 2, 3]) {
      expect(world.handler.events).toHaveLength(count - 1);
      await clock.advance(1);
      await eventually("the next event", () => world.handler.events.length === count);
    }
    expect(seenMethods(world)).toEqual(order);
  });

  test("16 KiB are flushed at once, ahead of what came before on another stream", async () => {
    const clock = createFakeClock();
    const world = await startWorld({ clock, flushDelayMs: () => 20 });
    (await world.dial()).socket.write(Buffer.alloc(16 * 1024));
    await eventually("four chunks", () => world.handler.events.length === 4);
    expect(new Set(seenMethods(world))).toEqual(new Set(["OnReceivedBytes"]));
    await clock.advance(20);
    await eventually("the rest", () => seenMethods(world).at(-1) === "OnSocketCreated");
  });
});

describe("a stream that the handler has ended", () => {
  test("later events of its method are dropped, on no new stream; the others go on", async () => {
    const world = await startWorld();
    const client = await world.connect();
    client.socket.write("x");
    await world.sees(client.conn, "OnReceivedBytes");
    streamsOf(world, client.conn).at(-1)?.finish();
    // For the host to hear of the end; an event that is under way until then is dropped here.
    await world.aLifePasses();
    client.socket.write("y");
    client.socket.end();
    expect(await world.closeReason(client.conn)).toBe("{shutdown,tcp_closed}");
    expect(streamsOf(world, client.conn).map(({ method }) => method)).toEqual([
      "OnSocketCreated",
      "OnReceivedBytes",
      "OnSocketClosed",
    ]);
    expect(world.bytesOf(client.conn)).toHaveLength(1);
  });

  test("other connections have streams of their own", async () => {
    const world = await startWorld();
    await world.connect();
    for (const stream of world.handler.streams) stream.finish();
    const other = await world.connect();
    other.socket.end("x");
    await world.sees(other.conn, "OnReceivedBytes");
    expect(await world.closeReason(other.conn)).toBe("{shutdown,tcp_closed}");
  });
});

describe("the handler is down", () => {
  test("a new client is closed; an idle one at its next byte", async () => {
    const world = await startWorld();
    const idle = await world.connect();
    await world.handler.stop();
    await (await world.dial()).isClosed();
    expect(idle.socket.closed).toBe(false);
    idle.socket.write("x");
    await idle.isClosed();
  });

  test("many new clients at once: each of them is closed", async () => {
    const world = await startWorld();
    await world.aLifePasses();
    await world.handler.stop();
    const clients = await Promise.all(Array.from({ length: 20 }, () => world.dial()));
    for (const client of clients) await client.isClosed();
    await world.handler.start();
    await world.aLifePasses();
  });

  test("once it is back, who has stayed goes on, on new streams and with no new OnSocketCreated", async () => {
    const world = await startWorld();
    const client = await world.connect();
    client.socket.write("x");
    await world.sees(client.conn, "OnReceivedBytes");
    await world.handler.stop();
    await (await world.dial()).isClosed();
    await world.handler.start();
    client.socket.end("y");
    expect(await world.closeReason(client.conn)).toBe("{shutdown,tcp_closed}");
    await eventually("both bytes", () => Buffer.concat(world.bytesOf(client.conn)).length === 2);
    expect(Buffer.concat(world.bytesOf(client.conn)).toString()).toBe("xy");
    expect(seenMethods(world).filter((method) => method === "OnSocketCreated")).toHaveLength(1);
  });
});
