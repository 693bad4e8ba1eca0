import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Aedes } from "aedes";
import { PassThrough } from "node:stream";
import type { BrokerMessage } from "../../src/host/broker/broker.js";
import type { Hooks } from "../../src/host/broker/hooks.js";
import { createMqttSessions } from "../../src/host/broker/mqtt-sessions.js";
import { silentLogger } from "../../src/logger.js";
import { eventually } from "../support/eventually.js";

let aedes: Aedes;

beforeEach(async () => {
  aedes = await Aedes.createBroker();
});
afterEach(() => new Promise<void>((resolve) => aedes.close(resolve)));

const connection = {
  ...{ clientId: "m", username: "", peerhost: "127.0.0.1", peerport: 1, sockport: 1883 },
  ...{ protoName: "MQTT", protoVer: "4", keepaliveSeconds: 0 },
};

const message: BrokerMessage = {
  ...{ id: "0".repeat(32), topic: "t", payload: new Uint8Array(), qos: 0, from: "c" },
  ...{ timestamp: 0, headers: {} },
};

test("of a client that gets too much its messages are not told, and its end is", async () => {
  const told = new Map<string, number>();
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const hooks: Hooks = {
    async notify({ hook }) {
      await released;
      told.set(hook, (told.get(hook) ?? 0) + 1);
    },
    authenticate: () => Promise.resolve(true),
    authorize: () => Promise.resolve(true),
    publish: (published) => Promise.resolve(published),
  };
  const sessions = createMqttSessions(aedes, hooks, silentLogger);
  const stream = new PassThrough();
  const member = sessions.admit(aedes.handle(stream), connection);
  const { hooked: client } = member;
  for (let i = 0; i < 15_000; i += 1) {
    sessions.tell(member, { hook: "message.delivered", client, message });
  }
  sessions.tell(member, { hook: "client.disconnected", client, reason: "normal" });
  release();
  await eventually("all is told", () => member.line.length === 0);
  stream.destroy();
  expect([...told]).toEqual([
    ["message.delivered", 10_000],
    ["client.disconnected", 1],
  ]);
});
