/** The client on a real socket, against a server that does what the test says. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import {
  ChatError,
  createChatClient,
  createTcpTransport,
  type ChatClient,
  type ChatClientOptions,
  type ChatEvent,
  type ChatMessage,
} from "../../src/client/index.js";
import { eventually } from "../support/eventually.js";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";
import { bye, fail, message, ok, welcome } from "./support/frames.js";
import { startScriptedServer, type Peer, type ScriptedServer } from "./support/scripted-server.js";
import { tlsIdentity } from "./support/tls-identity.js";

let server: ScriptedServer;
let clock: FakeClock;
let clients: ChatClient[];

beforeEach(async () => {
  server = await startScriptedServer();
  clock = createFakeClock();
  clients = [];
});

afterEach(async () => {
  for (const client of clients) await client.disconnect();
  expect(clock.armed).toBe(0);
  await server.end();
});

function create(options: ChatClientOptions = {}): ChatClient {
  const client = createChatClient({
    port: server.port,
    username: "alice",
    clock,
    random: () => 0,
    ...options,
  });
  clients.push(client);
  return client;
}

/** Collects all that the client is told. */
function record(client: ChatClient): ChatEvent[] {
  const told: ChatEvent[] = [];
  void (async () => {
    for await (const event of client.events()) told.push(event);
  })();
  return told;
}

const texts = (told: readonly ChatEvent[]) =>
  told.filter((event) => event.type === "message").map(({ text }) => text);

async function online(client: ChatClient, ...rooms: readonly string[]): Promise<Peer> {
  const connecting = client.connect();
  const peer = await server.accepts();
  await peer.hears("hello");
  peer.says(welcome());
  await connecting;
  for (const room of rooms) {
    const joining = client.join(room);
    peer.says(ok((await peer.hears("join")).ref));
    await joining;
  }
  return peer;
}

/** The next connection that says hello; one that was given up before is passed over. */
async function greeted(): Promise<Peer> {
  for (;;) {
    const peer = await server.accepts();
    const isLogin = peer.hears("hello").then(() => true);
    if (await Promise.race([isLogin, peer.isClosed().then(() => false)])) return peer;
    isLogin.catch(() => undefined);
  }
}

/** The client comes back when its time has come. */
async function back(client: ChatClient, more: Parameters<typeof welcome>[0] = {}): Promise<Peer> {
  await eventually("it waits to come back", () => client.phase === "waiting");
  await clock.advance(500);
  const peer = await server.accepts();
  await peer.hears("hello");
  peer.says(welcome({ resumed: true, rooms: ["lobby"], ...more }));
  await eventually("it is back", () => client.phase === "online");
  return peer;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof ChatError ? error.code : String(error);
  }
}

test("logs in with what it was given, and joins, says, asks", async () => {
  const client = create({ clientId: "alice-1", password: "secret", sessionExpiry: 60 });
  const connecting = client.connect();
  const peer = await server.accepts();
  expect(await peer.hears("hello")).toMatchObject({
    clientId: "alice-1",
    username: "alice",
    password: "secret",
    keepalive: 30,
    sessionExpiry: 60,
    resume: true,
    lastSeq: 0,
  });
  peer.says(welcome({ clientId: "alice-1" }));
  await connecting;

  const joining = client.join("lobby", { qos: 2, presence: true, history: 5 });
  const join = await peer.hears("join");
  expect(join).toMatchObject({ room: "lobby", qos: 2, presence: true, echo: false, history: 5 });
  peer.says(ok(join.ref));
  expect(await joining).toEqual({ recoverable: true });

  const saying = client.say({ room: "lobby" }, "hi", { qos: 2 });
  const say = await peer.hears("say");
  expect(say).toMatchObject({ room: "lobby", text: "hi", qos: 2 });
  expect(say.key).toMatch(/^[0-9a-f-]{36}$/);
  peer.says(ok(say.ref, "ab", 7));
  expect(await saying).toEqual({ id: "ab", offset: 7 });

  const asking = client.who("lobby");
  const members = [{ clientId: "bob-1", username: "bob", since: 1 }];
  peer.says({ type: "members", ref: (await peer.hears("who")).ref, room: "lobby", members });
  expect(await asking).toEqual(members);

  const paging = client.history("lobby", { limit: 3 });
  const { ref } = await peer.hears("history");
  const { type, ...older } = message(3);
  peer.says({ type: "page", ref, room: "lobby", messages: [older], more: true });
  expect(await paging).toEqual({ messages: [{ type, ...older }], more: true });

  const leaving = client.leave("lobby");
  peer.says(ok((await peer.hears("leave")).ref));
  await leaving;
  expect(await codeOf(client.say({ room: "lobby" }, "too late"))).toBe("NOT_JOINED");
});

describe("what is said while the client is away", () => {
  test("waits, and is said in order, under the key it had", async () => {
    const client = create();
    const peer = await online(client, "lobby");
    const first = client.say({ room: "lobby" }, "one");
    const sent = await peer.hears("say");
    peer.drops();
    await eventually("it waits", () => client.phase === "waiting");
    const second = client.say({ room: "lobby" }, "two");
    const again = await back(client);
    const repeated = await again.hears("say");
    expect(repeated).toMatchObject({ text: "one", key: sent.key });
    again.says(ok(repeated.ref, "a1", 1));
    const next = await again.hears("say");
    expect(next.text).toBe("two");
    again.says(ok(next.ref, "a2", 2));
    expect([await first, await second]).toEqual([
      { id: "a1", offset: 1 },
      { id: "a2", offset: 2 },
    ]);
  });

  test("is given back at qos 0 when it may have been said", async () => {
    const client = create();
    const peer = await online(client, "lobby");
    const saying = codeOf(client.say({ room: "lobby" }, "one", { qos: 0 }));
    await peer.hears("say");
    peer.drops();
    expect(await saying).toBe("UNAVAILABLE");
  });

  test("is refused when too much waits", async () => {
    const client = create({ maxQueued: 1 });
    const peer = await online(client, "lobby");
    const first = client.say({ room: "lobby" }, "one");
    expect(await codeOf(client.say({ room: "lobby" }, "two"))).toBe("QUEUE_FULL");
    peer.says(ok((await peer.hears("say")).ref));
    await first;
  });
});

test.each(["RATE_LIMITED", "UNAVAILABLE"] as const)(
  "a say that is refused with %s is tried again, and the next waits for it",
  async (code) => {
    const client = create();
    const peer = await online(client, "lobby");
    const both = Promise.all(["one", "two"].map((text) => client.say({ room: "lobby" }, text)));
    const first = await peer.hears("say");
    peer.says(fail(first.ref, code, 700));
    await eventually("the answer has come", () => clock.armed === 2);
    await clock.advance(700);
    const again = await peer.hears("say");
    expect(again).toMatchObject({ text: "one", key: first.key });
    peer.says(ok(again.ref));
    const next = await peer.hears("say");
    expect(next.text).toBe("two");
    peer.says(ok(next.ref));
    await both;
  },
);

test("a say that is refused for good is given back, and the next is said", async () => {
  const client = create();
  const peer = await online(client, "lobby");
  const first = codeOf(client.say({ room: "lobby" }, "one"));
  const second = client.say({ room: "lobby" }, "two");
  peer.says(fail((await peer.hears("say")).ref, "FORBIDDEN"));
  expect(await first).toBe("FORBIDDEN");
  peer.says(ok((await peer.hears("say")).ref));
  await second;
});

describe("a message", () => {
  test("is acknowledged when its listener's promise is settled, the next comes after it", async () => {
    const client = create({ ackEvery: 2 });
    const heard: string[] = [];
    const finish: (() => void)[] = [];
    client.on("message", ({ text }) => {
      heard.push(text ?? "");
      return new Promise<void>((resolve) => finish.push(resolve));
    });
    const peer = await online(client, "lobby");
    peer.says(message(1), message(2));
    await eventually("the first", () => finish.length === 1);
    expect(heard).toEqual(["text 1"]);
    finish.shift()?.();
    await eventually("the second", () => finish.length === 1);
    finish.shift()?.();
    expect(await peer.hears("ack")).toEqual({ type: "ack", seq: 2 });
  });

  test("is acknowledged after a while when no more come", async () => {
    const client = create();
    record(client);
    const peer = await online(client, "lobby");
    peer.says(message(1));
    await eventually("the timer of the ack", () => clock.armed === 2);
    await clock.advance(100);
    expect(await peer.hears("ack")).toEqual({ type: "ack", seq: 1 });
  });

  test("is acknowledged by the app when it wants to", async () => {
    const client = create({ ackMode: "manual", ackEvery: 1 });
    const heard: ChatMessage[] = [];
    client.on("message", (one) => heard.push(one));
    const peer = await online(client, "lobby");
    peer.says(message(1), message(2), message(3));
    await eventually("all three", () => heard.length === 3);
    client.ack(heard[2]!);
    client.ack(heard[0]!);
    expect(await peer.hears("ack")).toEqual({ type: "ack", seq: 1 });
    client.ack(heard[1]!);
    expect(await peer.hears("ack")).toEqual({ type: "ack", seq: 3 });
  });

  test("that comes again after a resume is not told again, and a new one is", async () => {
    const client = create();
    const told = record(client);
    const peer = await online(client, "lobby");
    peer.says(message(1), message(2));
    await eventually("both", () => texts(told).length === 2);
    peer.drops();
    const again = await back(client);
    const replayed = [1, 2, 3].map((n) =>
      message(n + 2, { ...message(n), seq: n + 2, replay: true }),
    );
    again.says(...replayed, { type: "caughtUp", room: "lobby", complete: true, from: 0, to: 0 });
    await eventually("the end", () => told.some(({ type }) => type === "caughtUp"));
    expect(texts(told)).toEqual(["text 1", "text 2", "text 3"]);
  });

  test("whose listener throws is reported, and the next one comes", async () => {
    const errors: unknown[] = [];
    const client = create({ onError: (error) => errors.push(error) });
    const heard: string[] = [];
    client.on("message", ({ text }) => {
      heard.push(text ?? "");
      throw new Error("of the app");
    });
    const peer = await online(client, "lobby");
    peer.says(message(1), message(2));
    await eventually("both", () => heard.length === 2);
    expect(errors).toEqual([new Error("of the app"), new Error("of the app")]);
  });
});

test("an onError that throws is heard of, and the next message comes", async () => {
  const thrown: unknown[] = [];
  const microtasks = jest.spyOn(globalThis, "queueMicrotask").mockImplementation((task) => {
    try {
      task();
    } catch (error) {
      thrown.push(error);
    }
  });
  try {
    const onError = (error: unknown) => {
      throw error;
    };
    const client = create({ onError });
    const heard: string[] = [];
    client.on("message", ({ text }) => {
      heard.push(text ?? "");
      throw new Error(text);
    });
    const peer = await online(client, "lobby");
    peer.says(message(1), message(2));
    await eventually("both", () => heard.length === 2);
    expect(thrown).toEqual([new Error("text 1"), new Error("text 2")]);
  } finally {
    microtasks.mockRestore();
  }
});

describe("a key of the app's own", () => {
  test("goes with what is said, so that a later process can say it again", async () => {
    const client = create();
    const peer = await online(client, "lobby");
    const saying = client.say({ room: "lobby" }, "hi", { key: "order-7" });
    const say = await peer.hears("say");
    expect(say).toMatchObject({ text: "hi", qos: 1, key: "order-7" });
    peer.says(ok(say.ref));
    await saying;
  });

  test.each(["", "k".repeat(65)])(
    "is refused when the server would not take it: %j",
    async (key) => {
      expect(await codeOf(create().say({ user: "bob" }, "hi", { key }))).toBe("BAD_REQUEST");
    },
  );
});

describe("connect and disconnect", () => {
  test("connect twice is one connection, and both are told", async () => {
    const client = create();
    const both = Promise.all([client.connect(), client.connect()]);
    const peer = await server.accepts();
    await peer.hears("hello");
    peer.says(welcome());
    await both;
    await client.connect();
    expect(server.waiting).toBe(0);
  });

  test.each(["before the server is there", "before it has let us in"])(
    "disconnect %s ends the attempt, and what waits goes on with the next",
    async (when) => {
      const client = create();
      const connecting = codeOf(client.connect());
      const joining = client.join("lobby");
      const peer = when === "before it has let us in" ? await server.accepts() : undefined;
      await peer?.hears("hello");
      await client.disconnect();
      expect(await connecting).toBe("CLOSED");
      expect(client.phase).toBe("idle");
      await peer?.isClosed();
      const reconnecting = client.connect();
      const next = await greeted();
      next.says(welcome());
      await reconnecting;
      next.says(ok((await next.hears("join")).ref));
      await joining;
    },
  );

  test("disconnect does not wait for a server that sends on and never closes", async () => {
    const endless = createServer({ allowHalfOpen: true }, (socket) => {
      const timer = setInterval(() => socket.write("x"), 50);
      socket.on("error", () => undefined);
      socket.on("close", () => clearInterval(timer));
      socket.resume();
    });
    endless.listen(0, "127.0.0.1");
    await once(endless, "listening");
    const { port } = endless.address() as AddressInfo;
    let hasOpened = false;
    let hasClosed = false;
    const wire = createTcpTransport({ host: "127.0.0.1", port }).open({
      opened: () => (hasOpened = true),
      received: () => undefined,
      closed: () => (hasClosed = true),
    });
    try {
      await eventually("it is open", () => hasOpened);
      wire.close();
      await eventually("it is closed", () => hasClosed);
    } finally {
      wire.close();
      endless.close();
    }
  }, 20_000);

  test("a transport that can't be opened is a failed attempt like any other", async () => {
    const usual = createTcpTransport({ host: "127.0.0.1", port: server.port });
    let attempts = 0;
    const client = create({
      transport: {
        open(events) {
          attempts += 1;
          if (attempts === 1) throw new Error("no way out");
          return usual.open(events);
        },
      },
    });
    const told = record(client);
    const connecting = client.connect();
    await eventually("it is told", () => told.length > 0);
    expect(told).toMatchObject([{ type: "disconnected", reason: "no way out", attempt: 1 }]);
    await clock.advance(500);
    const peer = await server.accepts();
    await peer.hears("hello");
    peer.says(welcome());
    await connecting;
  });
});

describe("over TLS", () => {
  let secure: ScriptedServer;
  let names: string[];

  beforeEach(async () => {
    names = [];
    const SNICallback: TlsOptions["SNICallback"] = (name, done) => {
      names.push(name);
      done(null);
    };
    secure = await startScriptedServer({ ...tlsIdentity, SNICallback });
  });

  afterEach(() => secure.end());

  test.each([
    ["localhost", ["localhost"]],
    // An address is no name that a server could be told.
    ["127.0.0.1", []],
  ])("it talks to %s, whose certificate it trusts", async (host, told) => {
    const client = create({ host, port: secure.port, tls: { ca: tlsIdentity.cert } });
    const connecting = client.connect();
    const peer = await secure.accepts();
    await peer.hears("hello");
    peer.says(welcome());
    await connecting;
    await client.disconnect();
    await peer.isClosed();
    expect(names).toEqual(told);
  });

  test("it does not talk to a server that nobody vouches for, and says why", async () => {
    const client = create({ host: "localhost", port: secure.port, tls: true });
    const told = record(client);
    client.connect().catch(() => undefined);
    await eventually("it is told", () => told.length > 0);
    expect(told).toMatchObject([{ type: "disconnected", reason: "self-signed certificate" }]);
  });
});

describe("a login", () => {
  test("that starts a new session joins the rooms again, and tells what may be missing", async () => {
    const client = create();
    const told = record(client);
    const peer = await online(client, "lobby");
    peer.says(message(4));
    await eventually("the message", () => texts(told).length === 1);
    peer.drops();
    const again = await back(client, { resumed: false, rooms: [], session: "s2" });
    again.says(ok((await again.hears("join")).ref));
    await eventually("the gaps", () => told.filter(({ type }) => type === "gap").length === 2);
    expect(told).toContainEqual({ type: "gap", from: 0, to: 0 });
    expect(told).toContainEqual({ type: "gap", room: "lobby", from: 5, to: 0 });
  });

  test("tells a room that may not be joined again", async () => {
    const client = create();
    const told = record(client);
    (await online(client, "lobby")).drops();
    const again = await back(client, { resumed: false, rooms: [], session: "s2" });
    again.says(fail((await again.hears("join")).ref, "FORBIDDEN"));
    await eventually("the room", () => told.some(({ type }) => type === "roomLost"));
    expect(await codeOf(client.say({ room: "lobby" }, "hi"))).toBe("NOT_JOINED");
  });

  test("takes up the session that an earlier process has saved", async () => {
    const first = create({ clientId: "alice-1" });
    const told = record(first);
    const peer = await online(first, "lobby");
    peer.says(message(1), message(2));
    await eventually("both", () => texts(told).length === 2);
    await first.disconnect();
    expect(await peer.hears("ack")).toEqual({ type: "ack", seq: 2 });
    const state = JSON.parse(JSON.stringify(first.saveState())) as ReturnType<
      ChatClient["saveState"]
    >;
    const second = create({ state });
    const toldLater = record(second);
    void second.connect();
    const later = await server.accepts();
    expect(await later.hears("hello")).toMatchObject({ clientId: "me", resume: true, lastSeq: 2 });
    later.says(welcome({ resumed: true, rooms: ["lobby"] }), message(3, message(2)), message(4));
    await eventually("the new one", () => texts(toldLater).length === 1);
    expect(texts(toldLater)).toEqual(["text 4"]);
  });

  test.each(["UNAUTHENTICATED", "TAKEN_OVER", "BAD_REQUEST"] as const)(
    "that is refused with %s is not tried again",
    async (code) => {
      const client = create();
      const told = record(client);
      const connecting = codeOf(client.connect());
      const peer = await server.accepts();
      await peer.hears("hello");
      peer.says(bye(code));
      expect(await connecting).toBe(code);
      await eventually("it is told", () => told.at(-1)?.type === "fatal");
      expect(client.phase).toBe("ended");
      expect(await codeOf(client.join("lobby"))).toBe(code);
    },
  );

  test.each(["SHUTTING_DOWN", "SLOW_CONSUMER", "UNAVAILABLE"] as const)(
    "that is ended with %s comes back after the time it was told",
    async (code) => {
      const client = create();
      const peer = await online(client);
      peer.says(bye(code, 1_200));
      await eventually("it waits", () => client.phase === "waiting");
      await clock.advance(1_199);
      expect(client.phase).toBe("waiting");
      await clock.advance(1);
      await (await server.accepts()).hears("hello");
    },
  );

  test("that is not answered in time is given up", async () => {
    const client = create({ loginTimeoutMs: 3_000 });
    client.connect().catch(() => undefined);
    const peer = await server.accepts();
    await peer.hears("hello");
    await clock.advance(3_000);
    await peer.isClosed();
    await clock.advance(500);
    await (await server.accepts()).hears("hello");
  });
});

test("a dead connection is found by a ping, and left for a new one", async () => {
  const client = create({ keepalive: 30 });
  const peer = await online(client);
  await clock.advance(30_000);
  await peer.hears("ping");
  peer.says({ type: "pong", nonce: "" });
  await eventually("the pong", () => clock.armed === 1);
  await clock.advance(30_000);
  await peer.hears("ping");
  await clock.advance(45_000);
  await peer.isClosed();
  await back(client);
});

test("bytes that are no frame end the connection, and the client comes back", async () => {
  const client = create();
  const peer = await online(client);
  peer.writes(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff));
  await back(client);
});

test("close says bye, ends what waits and the iterators", async () => {
  const client = create();
  const peer = await online(client, "lobby");
  const saying = codeOf(client.say({ room: "lobby" }, "hi"));
  const reading = (async () => {
    for await (const event of client.events()) expect(event.type).not.toBe("fatal");
  })();
  await peer.hears("say");
  const closing = client.close();
  await peer.hears("bye");
  expect(await saying).toBe("CLOSED");
  peer.drops();
  await closing;
  await reading;
  expect(await codeOf(client.connect())).toBe("CLOSED");
});

test.each([
  ["a room's name", (client: ChatClient) => client.join("a/b"), "BAD_ROOM"],
  ["a qos", (client: ChatClient) => client.join("a", { qos: 3 as 2 }), "BAD_REQUEST"],
  ["a user's name", (client: ChatClient) => client.say({ user: "+" }, "x"), "BAD_REQUEST"],
  ["a limit", (client: ChatClient) => client.history("a", { limit: 101 }), "BAD_REQUEST"],
  ["a room not joined", (client: ChatClient) => client.say({ room: "a" }, "x"), "NOT_JOINED"],
])("refuses at once %s that is wrong", async (_what, call, code) => {
  expect(await codeOf(call(create()))).toBe(code);
});

test("refuses what is longer than a frame may be", async () => {
  const client = create();
  await online(client, "lobby");
  expect(await codeOf(client.say({ room: "lobby" }, "x".repeat(65_536)))).toBe("FRAME_TOO_LARGE");
});

const saved = { clientId: "", session: "", lastSeq: 0, seen: [], rooms: [] };

test.each<readonly [string, ChatClientOptions]>([
  ["a clientId is", { clientId: "a b" }],
  ["port is a whole number from 1 to 65535, not 70000", { port: 70_000 }],
  ["keepalive is a whole number from 0", { keepalive: 3_601 }],
  ["sessionExpiry is a whole number from 0", { sessionExpiry: -1 }],
  ["loginTimeoutMs is a whole number from 1", { loginTimeoutMs: Number.NaN }],
  ["ackEvery is a whole number from 1", { ackEvery: 0 }],
  ["ackDelayMs is a whole number from 0", { ackDelayMs: -1 }],
  ["maxUndelivered is a whole number from 1", { maxUndelivered: 0 }],
  ["keyWindowMs is a whole number from 0", { keyWindowMs: 0.5 }],
  ["reconnect.initialDelayMs is a whole number from 1", { reconnect: { initialDelayMs: 0 } }],
  ["reconnect.jitter is a number from 0 to 1", { reconnect: { jitter: 2 } }],
  ["reconnect.maxAttempts is", { reconnect: { maxAttempts: -1 } }],
  ['ackMode is "auto" or "manual"', { ackMode: "never" as "auto" }],
  ["state is not what saveState gave", { state: {} as typeof saved }],
  ["state is not what saveState gave", { state: null as unknown as typeof saved }],
  ["state is not what saveState gave", { state: { ...saved, lastSeq: -1 } }],
  ["state is not what saveState gave", { state: { ...saved, seen: "ab" as unknown as string[] } }],
  ["state is not what saveState gave", { state: { ...saved, rooms: [{ room: "x" }] as never[] } }],
])("refuses options that can't be: %s", (reason, options) => {
  expect(() => createChatClient(options)).toThrow(`[BAD_REQUEST] ${reason}`);
});
