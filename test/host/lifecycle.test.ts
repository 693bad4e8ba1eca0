/** From OnSocketCreated to OnSocketClosed, on ConnectionUnaryHandler, as EMQX 5.8 does it. */
import { describe, expect, test } from "@jest/globals";
import { RpcError } from "../../src/rpc/client.js";
import { eventually } from "../support/eventually.js";
import { createFakeClock } from "../support/fake-clock.js";
import { useWorlds, type Client, type World } from "./support/world.js";

const startWorld = useWorlds();

const success = { code: "SUCCESS", message: "" };
const boom = new RpcError("INTERNAL", "boom");

describe("a new connection", () => {
  test("is made known with the addresses of both ends", async () => {
    const world = await startWorld();
    const { conn, socket } = await world.connect();
    expect(world.handler.events).toEqual([
      {
        method: "OnSocketCreated",
        request: {
          conn,
          conninfo: {
            socktype: "TCP",
            peername: { host: "127.0.0.1", port: socket.localPort },
            sockname: { host: "127.0.0.1", port: world.host.ports.chat },
            peercert: undefined,
          },
        },
      },
    ]);
  });

  test("has the id of an Erlang process: node's name, id, serial, creation", async () => {
    const world = await startWorld({ node: "emqx@127.0.0.1" });
    const [first, second] = [await world.connect(), await world.connect()];
    const [one, other] = [first, second].map(({ conn }) => Buffer.from(conn, "base64"));
    expect(first.conn).toMatch(/^g1hkAA5lbXF4QDEyNy4wLjAuM[A-Za-z0-9+/]+==$/);
    expect(one?.subarray(0, 5).toString("hex")).toBe("835864000e");
    expect(one?.subarray(5, 19).toString()).toBe("emqx@127.0.0.1");
    expect(one).toHaveLength(19 + 4 + 4 + 4);
    expect(one?.equals(other!)).toBe(false);
    expect(one?.subarray(-4)).toEqual(other?.subarray(-4));
  });
});

describe("the reason of OnSocketClosed", () => {
  type End = (world: World, client: Client) => unknown;
  const failing =
    (method: "OnReceivedBytes" | "OnReceivedMessages", error: RpcError, cause: End): End =>
    (world, client) => {
      world.handler.fail(method, error);
      return cause(world, client);
    };
  const writes: End = (_world, { socket }) => socket.write("x");
  const publishesToItself: End = async (world, { conn }) => {
    await world.subscribes(conn, "t");
    await world.publishes(conn, "t");
  };

  test.each<[string, End, string]>([
    ["the client ends", (_world, { socket }) => socket.end(), "{shutdown,tcp_closed}"],
    ["it resets", (_world, { socket }) => socket.resetAndDestroy(), "{shutdown,tcp_closed}"],
    ["Close is called", ({ adapter }, { conn }) => adapter.Close({ conn }), "{shutdown,normal}"],
    ["its client id logs in", ({ login }) => login("client"), "{shutdown,discarded}"],
    ["an operator kicks it", ({ host }) => host.kick("client"), "{shutdown,kicked}"],
    [
      "OnReceivedBytes fails",
      failing("OnReceivedBytes", boom, writes),
      `{shutdown,{error,{on_received_bytes,{internal,<<"boom">>}}}}`,
    ],
    [
      "OnReceivedBytes fails otherwise",
      failing("OnReceivedBytes", new RpcError("RESOURCE_EXHAUSTED", `"so" \\`), writes),
      `{shutdown,{error,{on_received_bytes,{resource_exhausted,<<"\\"so\\" \\\\">>}}}}`,
    ],
    [
      "OnReceivedMessages fails",
      failing("OnReceivedMessages", boom, publishesToItself),
      `{shutdown,{error,{on_received_messages,{internal,<<"boom">>}}}}`,
    ],
  ])("when %s", async (_name, end, reason) => {
    const world = await startWorld();
    const client = await world.login("client");
    await end(world, client);
    expect(await world.closeReason(client.conn)).toBe(reason);
    await client.isClosed();
  });

  test("when OnSocketCreated fails", async () => {
    const world = await startWorld();
    world.handler.fail("OnSocketCreated", boom);
    const client = await world.connect();
    expect(await world.closeReason(client.conn)).toBe(
      `{shutdown,{error,{on_socket_created,{internal,<<"boom">>}}}}`,
    );
    await client.isClosed();
  });

  test("a failing OnSocketClosed is of no consequence", async () => {
    const world = await startWorld();
    world.handler.fail("OnSocketClosed", boom);
    await world.aLifePasses();
    await world.aLifePasses();
    expect(world.host.stats().connections).toBe(0);
  });

  test("nobody has the client id: there is none to kick", async () => {
    const world = await startWorld();
    await world.connect();
    expect(world.host.kick("client")).toBe(false);
  });
});

describe("calls to the handler", () => {
  test("one at a time for a connection, in order, of at most 4096 bytes each", async () => {
    const world = await startWorld();
    const clients = await Promise.all([1, 2, 3].map(() => world.connect()));
    const sent = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251));
    const got = ({ conn }: Client) => Buffer.concat(world.bytesOf(conn));
    for (const { socket } of clients) socket.end(sent);
    for (const client of clients) {
      await world.closeReason(client.conn);
      expect(got(client).equals(sent)).toBe(true);
      expect(Math.max(...world.bytesOf(client.conn).map(({ length }) => length))).toBe(4096);
    }
    expect(world.handler.mostInFlight).toBe(1);
  });

  test("an unanswered one holds up its own connection only", async () => {
    const world = await startWorld();
    const release = world.handler.hold("OnReceivedBytes");
    const client = await world.connect();
    client.socket.write(Buffer.alloc(20_000));
    await world.sees(client.conn, "OnReceivedBytes");
    await world.aLifePasses();
    expect(world.bytesOf(client.conn)).toHaveLength(1);
    release();
    await eventually("the rest", () => Buffer.concat(world.bytesOf(client.conn)).length === 20_000);
    expect(world.handler.mostInFlight).toBe(1);
  });

  test("what waits when a call fails is dropped", async () => {
    const world = await startWorld();
    world.handler.fail("OnReceivedBytes", boom);
    const client = await world.connect();
    client.socket.write(Buffer.alloc(20_000));
    await world.closeReason(client.conn);
    expect(world.methodsOf(client.conn)).toEqual([
      "OnSocketCreated",
      "OnReceivedBytes",
      "OnSocketClosed",
    ]);
  });

  test("what waits when the client ends is called first; its socket is closed at once", async () => {
    const world = await startWorld();
    const release = world.handler.hold("OnReceivedBytes");
    const client = await world.connect();
    client.socket.end("x");
    await client.isClosed();
    await world.sees(client.conn, "OnReceivedBytes");
    expect(world.methodsOf(client.conn)).not.toContain("OnSocketClosed");
    release();
    expect(await world.closeReason(client.conn)).toBe("{shutdown,tcp_closed}");
  });

  test("a client that overruns the handler is cut, and the handler not told", async () => {
    const world = await startWorld({ timeouts: { maxWaitingBytes: 10_000 } });
    const release = world.handler.hold("OnReceivedBytes");
    const client = await world.connect();
    client.socket.write("x");
    await world.sees(client.conn, "OnReceivedBytes");
    client.socket.write(Buffer.alloc(20_000));
    await client.isClosed();
    release();
    await world.aLifePasses();
    expect(world.methodsOf(client.conn)).toEqual(["OnSocketCreated", "OnReceivedBytes"]);
  });
});

describe("OnSocketClosed is lost", () => {
  test("when the connection is discarded with a call unanswered", async () => {
    const world = await startWorld();
    const release = world.handler.hold("OnReceivedBytes");
    const client = await world.login("client");
    client.socket.write("x");
    await world.sees(client.conn, "OnReceivedBytes");
    await world.login("client");
    await client.isClosed();
    release();
    await world.aLifePasses();
    expect(world.methodsOf(client.conn)).toEqual(["OnSocketCreated", "OnReceivedBytes"]);
  });

  test("when a call is unanswered for 15 s after the client's end", async () => {
    const clock = createFakeClock();
    const world = await startWorld({ clock });
    const release = world.handler.hold("OnReceivedBytes");
    const client = await world.connect();
    client.socket.end("x");
    await client.isClosed();
    await clock.advance(14_999);
    expect(world.host.stats().connections).toBe(1);
    await clock.advance(1);
    expect(world.host.stats().connections).toBe(0);
    release();
    await world.aLifePasses();
    expect(world.methodsOf(client.conn)).toEqual(["OnSocketCreated", "OnReceivedBytes"]);
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
    expect(world.host.stats().connections).toBe(0);
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

  test("nothing is called again once it is back; who has stayed goes on", async () => {
    const world = await startWorld();
    const client = await world.connect();
    await world.handler.stop();
    await (await world.dial()).isClosed();
    await world.handler.start();
    await world.sendsByte(client);
    expect(world.methodsOf(client.conn)).toEqual(["OnSocketCreated", "OnReceivedBytes"]);
    expect(world.handler.events).toHaveLength(2);
    await world.aLifePasses();
  });

  test("no handler is known yet: a new client is closed; once it is, clients are served", async () => {
    const world = await startWorld({}, "unknown");
    await (await world.dial()).isClosed();
    world.host.connectHandler(world.handler.address);
    await world.aLifePasses();
    expect(() => world.host.connectHandler(world.handler.address)).toThrow(/one only/);
  });

  test("a call that is cut off wedges its connection: no event, the socket open, Send succeeds", async () => {
    const clock = createFakeClock();
    const world = await startWorld({ clock });
    const client = await world.connect();
    const { conn } = client;
    await world.adapter.StartTimer({ conn, type: "KEEPALIVE", interval: 10 });
    world.handler.hold("OnReceivedBytes");
    client.socket.write("x");
    await world.sees(conn, "OnReceivedBytes");
    await world.handler.stop();
    await world.handler.start();
    client.socket.write("y");
    await world.aLifePasses();
    expect(await world.adapter.Send({ conn, bytes: Buffer.from("still there") })).toEqual(success);
    await client.sees("still there");
    expect(world.bytesOf(conn)).toHaveLength(1);
    // Only the keepalive timer ends it.
    await clock.advance(20_000);
    await client.isClosed();
    expect(world.methodsOf(conn)).toEqual(["OnSocketCreated", "OnReceivedBytes"]);
  });
});

describe("the adapter is down", () => {
  test("calls fail; the clients stay, and are served again once it is back", async () => {
    const world = await startWorld();
    const client = await world.connect();
    const call = () => world.adapter.Send({ conn: client.conn, bytes: Buffer.from("hello") });
    await world.host.adapter.stop();
    await expect(call()).rejects.toMatchObject({ status: "UNAVAILABLE" });
    await world.host.adapter.start();
    expect(await eventually("an answer", call)).toEqual(success);
    await client.sees("hello");
  });
});
