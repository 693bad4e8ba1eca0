/** After close() nothing is left of a host, whatever was going on. */
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { describe, expect, jest, test } from "@jest/globals";
import { systemClock, type Clock } from "../../src/clock.js";
import { createHost, type HandlerServiceName, type HostPorts } from "../../src/host/index.js";
import { eventually } from "../support/eventually.js";
import { anyPorts, useWorlds, type World } from "./support/world.js";

const startWorld = useWorlds();

async function listenOn(port: number): Promise<Server> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Fails where one of them is still taken. */
async function takeAndLeave(ports: HostPorts): Promise<void> {
  const servers = await Promise.all(Object.values(ports).map(listenOn));
  for (const server of servers) server.close();
}

/** Sockets and listeners of this process. */
function tcpHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;
}

interface CountingClock extends Clock {
  /** Timers that are set. */
  readonly armed: number;
}

function createCountingClock(): CountingClock {
  const timers = new Set<object>();
  return {
    now: () => systemClock.now(),
    schedule(delayMs, task) {
      const timer = {};
      timers.add(timer);
      const cancel = systemClock.schedule(delayMs, () => {
        timers.delete(timer);
        task();
      });
      return () => {
        timers.delete(timer);
        cancel();
      };
    },
    get armed() {
      return timers.size;
    },
  };
}

/** Longer than any test, so that no timer is gone because its time has come. */
const timeouts = {
  idleTimeoutMs: 60_000,
  closeGraceMs: 60_000,
  sendTimeoutMs: 60_000,
  callTimeoutMs: 60_000,
};

/** Clients of every kind, with something for each to be busy with. */
async function makeBusy(world: World) {
  const client = await world.login("client");
  const { conn } = client;
  await world.adapter.StartTimer({ conn, type: "KEEPALIVE", interval: 60 });
  await world.adapter.Subscribe({ conn, topic: "#", qos: 0 });
  const listeners = [await world.mqtt("tcp"), await world.mqtt("ws")];
  for (const listener of listeners) await listener.listens("#");
  client.socket.write(Buffer.alloc(10_000));
  await world.sees(conn, "OnReceivedBytes");
  await world.adapter.Publish({ conn, topic: "t", qos: 1, payload: Buffer.from("x") });
  return { client, listeners };
}

describe.each<HandlerServiceName>(["ConnectionUnaryHandler", "ConnectionHandler"])(
  "close() with %s",
  (service) => {
    test("cuts every client, frees every port, leaves no timer, and calls no one", async () => {
      const clock = createCountingClock();
      const world = await startWorld({ service, clock, timeouts });
      const { client, listeners } = await makeBusy(world);
      await world.host.close();
      await client.isClosed();
      for (const listener of listeners) await listener.isCut();
      await takeAndLeave(world.host.ports);
      await eventually("no timer is set", () => clock.armed === 0);
      expect(world.host.stats()).toEqual({ connections: 0, clients: 0, mqttClients: 0 });
      const methods = world.eventsOf(client.conn).map(({ method }) => method);
      expect(methods).not.toContain("OnSocketClosed");
    });

    test("leaves no socket in the process", async () => {
      const before = tcpHandles();
      const world = await startWorld({ service });
      await makeBusy(world);
      expect(tcpHandles()).toBeGreaterThan(before);
      await world.end();
      await eventually("all are closed", () => tcpHandles() <= before);
    });

    test("may be called twice, and at once", async () => {
      const world = await startWorld({ service });
      await makeBusy(world);
      await Promise.all([world.host.close(), world.host.close()]);
      await world.host.close();
      await takeAndLeave(world.host.ports);
    });

    test("with the handler gone", async () => {
      const world = await startWorld({ service });
      await makeBusy(world);
      await world.handler.stop();
      await world.host.close();
      await takeAndLeave(world.host.ports);
    });
  },
);

describe("close() does not wait", () => {
  test("for a handler that never answers, nor for a client that has ended meanwhile", async () => {
    const clock = createCountingClock();
    const world = await startWorld({ clock, timeouts });
    world.handler.hold("OnReceivedBytes");
    const { client } = await makeBusy(world);
    const ended = await world.connect();
    ended.socket.end("x");
    await ended.isClosed();
    await world.sees(ended.conn, "OnReceivedBytes");
    expect(world.handler.unanswered).toBe(2);
    await world.host.close();
    await client.isClosed();
    await takeAndLeave(world.host.ports);
    await eventually("no timer is set", () => clock.armed === 0);
    for (const { conn } of [client, ended]) expect(world.bytesOf(conn)).toHaveLength(1);
  });

  test("for a client that does not read, nor for a call that waits for it", async () => {
    const clock = createCountingClock();
    const world = await startWorld({ clock, timeouts });
    const { conn, socket } = await world.connect();
    socket.pause();
    await world.adapter.Send({ conn, bytes: Buffer.alloc(16 * 1024 * 1024) });
    const { armed } = clock;
    const answer = world.adapter.Send({ conn, bytes: Buffer.from("x") });
    await eventually("the call waits", () => clock.armed > armed);
    await world.host.close();
    expect(await answer).toMatchObject({ code: "UNKNOWN" });
    await takeAndLeave(world.host.ports);
    await eventually("no timer is set", () => clock.armed === 0);
  });
});

describe("a port that is taken", () => {
  test.each(["chat", "adapter", "mqtt", "ws"] as const)(
    "%s: createHost rejects, and holds none of the others",
    async (name) => {
      // Ports that were free a moment ago.
      const free = await createHost({ ports: anyPorts });
      const { ports } = free;
      await free.close();
      const taker = await listenOn(ports[name]);
      // grpc-js complains of a port on the console as well.
      const console = jest.spyOn(globalThis.console, "error").mockImplementation(() => undefined);
      await expect(createHost({ ports })).rejects.toThrow(/EADDRINUSE|address already in use/i);
      console.mockRestore();
      taker.close();
      await once(taker, "close");
      await takeAndLeave(ports);
    },
  );
});
