import { describe, expect, test } from "@jest/globals";
import type { HookClient, HookListener, HookPolicy } from "../../src/hook/index.js";
import { silentLogger, type Logger } from "../../src/logger.js";
import { HealthCheckRequest, HealthCheckResponse, SERVING } from "../../src/rpc/health.js";
import type { LogMessage } from "../../src/store/records.js";
import { createFakeClock } from "../support/fake-clock.js";
import { eventually } from "../support/eventually.js";
import {
  clientinfo,
  conninfo,
  emqxOf,
  generations,
  message,
  meta,
  node,
  properties,
  serveHooks,
  type Generation,
} from "./support.js";

interface Told {
  readonly notes: readonly unknown[];
  readonly listener: HookListener;
}

function createNotes(onPublish: HookListener["onPublish"]): Told {
  const notes: unknown[] = [];
  return {
    notes,
    listener: {
      messageTopics: ["chat/room/+", "chat/user/+"],
      onPublish(published, properties) {
        notes.push(["published", published]);
        return onPublish?.(published, properties) ?? Promise.resolve("route");
      },
      onConnected: (client) => notes.push(["connected", client]),
      onDisconnected: (client) => notes.push(["disconnected", client]),
      onSubscribed: (client, filter) => notes.push(["subscribed", client, filter]),
      onUnsubscribed: (client, filter) => notes.push(["unsubscribed", client, filter]),
      onSessionResumed: (client) => notes.push(["resumed", client]),
      onSessionEnded: (client) => notes.push(["ended", client]),
      onProviderLoaded: (name, uptimeMs) => notes.push(["loaded", name, uptimeMs]),
    },
  };
}

const client: HookClient = {
  node,
  clientId: "m1",
  username: "mia",
  protocol: "mqtt",
  peer: "10.0.0.7:50123",
};
const clientOf = (generation: Generation): HookClient =>
  generation === "v1" ? { ...client, peer: "10.0.0.7:0" } : client;

const logMessage: LogMessage = {
  id: message.id,
  topic: message.topic,
  from: "m1",
  username: "mia",
  protocol: "mqtt",
  qos: 1,
  payload: message.payload,
  timestamp: message.timestamp,
};

const info = { clientinfo, meta };
const subopts = { qos: 1, rh: 0, rap: 0, nl: 0, share: "" };
const topicFilters = [{ name: "chat/room/lobby", qos: 1, subopts }];
const given = { type: "CONTINUE", value: { $case: "boolResult", value: false } };
const asItWas = { type: "CONTINUE", value: { $case: "message", value: message } };

/** Every call: its request, its answer, and what the listener is told. */
const calls: readonly (readonly [
  method: string,
  request: object,
  answer: unknown,
  told: (who: HookClient, generation: Generation) => unknown,
])[] = [
  ["OnProviderUnloaded", { meta }, {}, () => undefined],
  ["OnClientConnect", { conninfo, meta, ...properties }, {}, () => undefined],
  [
    "OnClientConnack",
    { conninfo, resultCode: "success", meta, ...properties },
    {},
    () => undefined,
  ],
  ["OnClientConnected", info, {}, (who) => ["connected", who]],
  ["OnClientDisconnected", { ...info, reason: "normal" }, {}, (who) => ["disconnected", who]],
  ["OnClientAuthenticate", { ...info, result: false }, given, () => undefined],
  [
    "OnClientAuthorize",
    { ...info, type: "SUBSCRIBE", topic: "t", result: false },
    given,
    () => undefined,
  ],
  ["OnClientSubscribe", { ...info, topicFilters, ...properties }, {}, () => undefined],
  ["OnClientUnsubscribe", { ...info, topicFilters, ...properties }, {}, () => undefined],
  ["OnSessionCreated", info, {}, () => undefined],
  [
    "OnSessionSubscribed",
    { ...info, topic: "chat/room/lobby", subopts },
    {},
    (who) => ["subscribed", who, "chat/room/lobby"],
  ],
  [
    "OnSessionUnsubscribed",
    { ...info, topic: "$share/g/t" },
    {},
    (who) => ["unsubscribed", who, "$share/g/t"],
  ],
  ["OnSessionResumed", info, {}, (who) => ["resumed", who]],
  [
    "OnSessionDiscarded",
    info,
    {},
    (who, generation) => (generation === "v1" ? undefined : ["ended", who]),
  ],
  ["OnSessionTakenover", info, {}, () => undefined],
  ["OnSessionTerminated", { ...info, reason: "expired" }, {}, (who) => ["ended", who]],
  ["OnMessagePublish", { message, meta, ...properties }, asItWas, () => ["published", logMessage]],
  ["OnMessageDelivered", { ...info, message }, {}, () => undefined],
  ["OnMessageDropped", { message, reason: "no_subscribers", meta }, {}, () => undefined],
  ["OnMessageAcked", { ...info, message }, {}, () => undefined],
];

const v1Names: Readonly<Record<string, string>> = {
  OnClientAuthorize: "OnClientCheckAcl",
  OnSessionTakenover: "OnSessionTakeovered",
};

/** The node has run for a day and a bit. */
const UPTIME_MS = 86_405_000;

function loading(generation: Generation) {
  const uptime = generation === "v1" ? "1 days, 0 hours, 0 minutes, 5 seconds" : UPTIME_MS;
  return { broker: { version: "", sysdescr: "", uptime, datetime: "" }, meta };
}

function namesOf(answer: unknown): readonly string[] {
  return (answer as { hooks: readonly { name: string }[] }).hooks.map(({ name }) => name);
}

describe.each(generations)("ExHook %s", (generation) => {
  const nameOf = (method: string) => (generation === "v1" ? (v1Names[method] ?? method) : method);

  test.each(calls)("answers %s, and tells of it", async (method, request, answer, told) => {
    const { listener, notes } = createNotes(undefined);
    const emqx = emqxOf(generation, await serveHooks({ listener }));
    await expect(emqx[nameOf(method)]?.(request)).resolves.toEqual(answer);
    const expected = told(clientOf(generation), generation);
    expect(notes).toEqual(expected === undefined ? [] : [expected]);
  });

  test("all that is left is OnProviderLoaded", async () => {
    const emqx = emqxOf(generation, await serveHooks());
    const methods = Object.keys(emqx).filter((name) => name.startsWith("On"));
    const tested = [...calls.map(([method]) => nameOf(method)), "OnProviderLoaded"];
    expect(methods.sort()).toEqual(tested.sort());
    expect(methods).toHaveLength(21);
  });

  test("loads the hooks that are listened to, by their names there", async () => {
    const { listener, notes } = createNotes(undefined);
    const policy: HookPolicy = { authenticate: () => true, authorize: () => true };
    const emqx = emqxOf(generation, await serveHooks({ listener, policy }));
    const answer = await emqx.OnProviderLoaded?.(loading(generation));
    expect(answer).toEqual({
      hooks: [
        { name: "client.connected", topics: [] },
        { name: "client.disconnected", topics: [] },
        { name: "client.authenticate", topics: [] },
        { name: generation === "v1" ? "client.check_acl" : "client.authorize", topics: [] },
        { name: "session.subscribed", topics: [] },
        { name: "session.unsubscribed", topics: [] },
        { name: "session.resumed", topics: [] },
        ...(generation === "v1" ? [] : [{ name: "session.discarded", topics: [] }]),
        { name: "session.terminated", topics: [] },
        { name: "message.publish", topics: ["chat/room/+", "chat/user/+"] },
      ],
    });
    expect(notes).toEqual([["loaded", node, UPTIME_MS]]);
  });

  test.each<readonly [string, HookListener, readonly string[]]>([
    ["nobody", { messageTopics: ["t"] }, []],
    ["no topic", { messageTopics: [], onPublish: () => Promise.resolve("route") }, []],
    [
      "messages",
      { messageTopics: ["t"], onPublish: () => Promise.resolve("route") },
      ["message.publish"],
    ],
    ["joins", { messageTopics: [], onSubscribed: () => undefined }, ["session.subscribed"]],
  ])("asks for no more hooks than %s needs", async (_name, listener, hooks) => {
    const emqx = emqxOf(generation, await serveHooks({ listener }));
    expect(namesOf(await emqx.OnProviderLoaded?.(loading(generation)))).toEqual(hooks);
  });

  test.each([
    [true, undefined, "CONTINUE", true],
    [false, undefined, "CONTINUE", false],
    [false, true, "STOP_AND_RETURN", true],
    [true, false, "STOP_AND_RETURN", false],
  ])("given %s, a policy that says %s makes it %s %s", async (result, decision, type, value) => {
    const asked: unknown[] = [];
    const policy: HookPolicy = {
      authenticate(who, password) {
        asked.push([who, password]);
        return decision;
      },
      authorize(who, action, topic) {
        asked.push([who, action, topic]);
        return Promise.resolve(decision);
      },
    };
    const emqx = emqxOf(generation, await serveHooks({ policy }));
    const answer = { type, value: { $case: "boolResult", value } };
    const permission = { ...info, result, topic: "a/b" };
    await expect(emqx.OnClientAuthenticate?.({ ...info, result })).resolves.toEqual(answer);
    for (const type of ["PUBLISH", "SUBSCRIBE"]) {
      const request = { ...permission, type };
      await expect(emqx[nameOf("OnClientAuthorize")]?.(request)).resolves.toEqual(answer);
    }
    const who = clientOf(generation);
    expect(asked).toEqual([
      [who, "secret"],
      [who, "publish", "a/b"],
      [who, "subscribe", "a/b"],
    ]);
  });

  test("drops what the listener wants dropped", async () => {
    const { listener } = createNotes(() => Promise.resolve("drop"));
    const emqx = emqxOf(generation, await serveHooks({ listener }));
    const headers = { ...message.headers, allow_publish: "false" };
    await expect(emqx.OnMessagePublish?.({ message, meta, ...properties })).resolves.toEqual({
      type: "STOP_AND_RETURN",
      value: { $case: "message", value: { ...message, headers } },
    });
  });

  test("goes on without a decision that fails", async () => {
    const broken = () => {
      throw new Error("a bug");
    };
    const rejecting = () => Promise.reject(new Error("a bug"));
    const listener: HookListener = {
      messageTopics: ["t"],
      onPublish: rejecting,
      onConnected: broken,
      // An async method where none is foreseen.
      onDisconnected: () => rejecting() as unknown as undefined,
      onProviderLoaded: broken,
      onCall: broken,
    };
    const policy: HookPolicy = { authenticate: broken, authorize: rejecting };
    const logged: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      error: (fields) => logged.push((fields as { readonly hook: string }).hook),
    };
    const emqx = emqxOf(generation, await serveHooks({ listener, policy, logger }));
    const checked = { ...info, type: "PUBLISH", topic: "t", result: true };
    const kept = { type: "CONTINUE", value: { $case: "boolResult", value: true } };
    expect(namesOf(await emqx.OnProviderLoaded?.(loading(generation)))).toHaveLength(5);
    expect(await emqx.OnClientConnected?.(info)).toEqual({});
    expect(await emqx.OnClientDisconnected?.({ ...info, reason: "" })).toEqual({});
    expect(await emqx.OnClientAuthenticate?.(checked)).toEqual(kept);
    expect(await emqx[nameOf("OnClientAuthorize")]?.(checked)).toEqual(kept);
    expect(await emqx.OnMessagePublish?.({ message, meta, ...properties })).toEqual(asItWas);
    expect(logged.filter((hook) => hook !== "call")).toEqual([
      "provider.loaded",
      "client.connected",
      "client.disconnected",
      "client.authenticate",
      "client.authorize",
      "message.publish",
    ]);
  });

  test("goes on without a decision that is late, and not before", async () => {
    const clock = createFakeClock();
    const never = () => new Promise<never>(() => undefined);
    const emqx = emqxOf(
      generation,
      await serveHooks({
        listener: { messageTopics: ["t"], onPublish: never },
        policy: { authenticate: never, authorize: never },
        clock,
        deadlineMs: 700,
      }),
    );
    let answered = 0;
    const checked = { ...info, type: "PUBLISH", topic: "t", result: false };
    const answers = [
      emqx.OnClientAuthenticate?.(checked),
      emqx[nameOf("OnClientAuthorize")]?.(checked),
      emqx.OnMessagePublish?.({ message, meta, ...properties }),
    ].map(async (answer) => {
      const value = await answer;
      answered += 1;
      return value;
    });
    await eventually("all are asked", () => clock.armed === 3);
    await clock.advance(699);
    expect(answered).toBe(0);
    await clock.advance(1);
    await expect(Promise.all(answers)).resolves.toEqual([given, given, asItWas]);
  });

  test("answers whoever is ready first, each with its own", async () => {
    const waiting = new Map<string, (decision: "route") => void>();
    const emqx = emqxOf(
      generation,
      await serveHooks({
        listener: {
          messageTopics: ["#"],
          onPublish: ({ id }) => new Promise((resolve) => waiting.set(id, resolve)),
        },
      }),
    );
    const ids = Array.from({ length: 50 }, (_, i) => i.toString(16).padStart(32, "0"));
    const order: string[] = [];
    const answers = ids.map(async (id) => {
      const own = { ...message, id };
      const answer = await emqx.OnMessagePublish?.({ message: own, meta, ...properties });
      order.push(id);
      return answer;
    });
    await eventually("all are asked", () => waiting.size === ids.length);
    for (const id of [...ids].reverse()) {
      waiting.get(id)?.("route");
      await eventually("it is answered", () => order.at(-1) === id);
    }
    const values = (await Promise.all(answers)) as readonly (typeof asItWas)[];
    expect(values.map(({ value }) => value.value.id)).toEqual(ids);
  });

  test.each([
    ["", "chat/room/lobby"],
    ["g", "$share/g/chat/room/lobby"],
  ])("a subscription shared in the group %j is told as %s", async (share, filter) => {
    const { listener, notes } = createNotes(undefined);
    const emqx = emqxOf(generation, await serveHooks({ listener }));
    // EMQX 4.x tells the group beside the topic, later ones within it.
    const topic = generation === "v1" ? "chat/room/lobby" : filter;
    const request = { ...info, topic, subopts: { ...subopts, share } };
    await expect(emqx.OnSessionSubscribed?.(request)).resolves.toEqual({});
    await expect(emqx.OnSessionSubscribed?.({ ...info, topic: "t" })).resolves.toEqual({});
    const who = clientOf(generation);
    expect(notes).toEqual([
      ["subscribed", who, filter],
      ["subscribed", who, "t"],
    ]);
  });

  test.each(["takeovered", "discarded"])(
    "an old connection that was %s is told to be over where it can be told from the newer",
    async (reason) => {
      const { listener, notes } = createNotes(undefined);
      const emqx = emqxOf(generation, await serveHooks({ listener }));
      await expect(emqx.OnClientDisconnected?.({ ...info, reason })).resolves.toEqual({});
      expect(notes).toEqual(generation === "v1" ? [] : [["disconnected", client]]);
    },
  );

  test("tells of every node that calls", async () => {
    const heard: string[] = [];
    const listener = { messageTopics: [], onCall: (name: string) => heard.push(name) };
    const emqx = emqxOf(generation, await serveHooks({ listener }));
    await emqx.OnProviderLoaded?.(loading(generation));
    for (const [method, request] of calls) await emqx[nameOf(method)]?.(request);
    expect(heard).toEqual(Array.from({ length: 21 }, () => node));
  });

  test.each([
    ["nothing", []],
    ["nothing of what it is about", [0x0a, 0]],
  ])("answers any call that says %s, and keeps on", async (_what, bytes) => {
    const { listener } = createNotes(undefined);
    const policy: HookPolicy = { authenticate: () => undefined, authorize: () => undefined };
    const channel = await serveHooks({ listener, policy });
    const rpc = channel.rpc({ deadlineMs: 10_000, waitForReady: true });
    const service = `emqx.exhook.${generation}.HookProvider`;
    const methods = Object.keys(emqxOf(generation, channel)).filter((name) =>
      name.startsWith("On"),
    );
    for (const method of methods) {
      await expect(rpc.request(service, method, Uint8Array.from(bytes))).resolves.toBeDefined();
      // Cut off in the middle of a field: an error, and no more than that.
      await expect(rpc.request(service, method, Uint8Array.of(0x0a, 9))).rejects.toBeDefined();
    }
    expect(methods).toHaveLength(21);
  });

  test("survives a call that says nothing", async () => {
    const { listener, notes } = createNotes(undefined);
    const emqx = emqxOf(generation, await serveHooks({ listener }));
    const nothing = {
      clientinfo: undefined,
      message: undefined,
      meta: undefined,
      broker: undefined,
    };
    await expect(emqx.OnClientConnected?.(nothing)).resolves.toEqual({});
    await expect(emqx.OnClientAuthenticate?.({ ...nothing, result: true })).resolves.toMatchObject({
      type: "CONTINUE",
      value: { value: true },
    });
    await expect(emqx.OnMessagePublish?.({ ...nothing, ...properties })).resolves.toEqual({
      type: "CONTINUE",
      value: undefined,
    });
    expect(notes).toEqual([]);
  });

  test("a message without headers has an unknown publisher", async () => {
    const { listener, notes } = createNotes(undefined);
    const emqx = emqxOf(generation, await serveHooks({ listener }));
    await emqx.OnMessagePublish?.({ message: { ...message, headers: {} }, meta, ...properties });
    expect(notes).toEqual([["published", { ...logMessage, username: "", protocol: "" }]]);
  });
});

test.each(["", "emqx.exhook.v3.HookProvider"])("says that %j is well", async (service) => {
  const rpc = (await serveHooks()).rpc({ deadlineMs: 10_000, waitForReady: true });
  const ask = (method: string) =>
    rpc.request("grpc.health.v1.Health", method, HealthCheckRequest.encode({ service }).finish());
  // Field 1, a varint, 1.
  expect([...(await ask("Check"))]).toEqual([8, 1]);
  expect(HealthCheckResponse.decode(await ask("Check"))).toEqual({ status: SERVING });
  await expect(ask("Watch")).rejects.toMatchObject({ status: "UNIMPLEMENTED" });
});
