import { describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createMqttHistory } from "../../src/hook/index.js";
import { silentLogger } from "../../src/logger.js";
import type { History } from "../../src/protocol.js";
import type { LogEntry, LogMessage } from "../../src/store/index.js";
import { settled } from "../support/fake-clock.js";

function entry(offset: number, payload: string | Uint8Array): LogEntry {
  return {
    id: String(offset).padStart(32, "A"),
    topic: "chat/room/lobby",
    from: "m1",
    username: "mia",
    protocol: "mqtt",
    qos: 1,
    payload: Buffer.from(payload),
    timestamp: 1_700_000_000_000 + offset,
    epoch: 1,
    offset,
  };
}

const page: History = { entries: [entry(2, "two"), entry(1, new Uint8Array([255]))], more: true };

interface Asked {
  readonly asked: readonly (readonly [string, string | undefined, number])[];
  readonly replies: readonly { readonly topic: string; readonly body: unknown }[];
}

async function ask(
  payload: string,
  more: Partial<LogMessage> = {},
  properties = {},
  history: () => Promise<History> = () => Promise.resolve(page),
): Promise<Asked> {
  const asked: [string, string | undefined, number][] = [];
  const replies: { topic: string; body: unknown }[] = [];
  const requests = createMqttHistory({
    roomOf: (topic) => /^chat\/history\/(\w+)$/.exec(topic)?.[1],
    replyTopicOf: (client) => `chat/reply/${client}`,
    history(room, before, limit) {
      asked.push([room, before, limit]);
      return history();
    },
    publish(topic, body) {
      replies.push({ topic, body: JSON.parse(Buffer.from(body).toString()) });
      return Promise.resolve();
    },
    logger: silentLogger,
  });
  const message = { ...entry(9, payload), topic: "chat/history/lobby", from: "c1", ...more };
  await requests.onMessage(message, properties);
  return { asked, replies };
}

describe("a request", () => {
  test("is answered with the newest messages", async () => {
    const { asked, replies } = await ask("");
    expect(asked).toEqual([["lobby", undefined, 20]]);
    const told = { from: "m1", username: "mia", qos: 1 };
    expect(replies).toEqual([
      {
        topic: "chat/reply/c1",
        body: {
          room: "lobby",
          messages: [
            { ...told, id: page.entries[0]?.id, text: "two", ts: 1_700_000_000_002, offset: 2 },
            { ...told, id: page.entries[1]?.id, data: "/w==", ts: 1_700_000_000_001, offset: 1 },
          ],
          more: true,
        },
      },
    ]);
  });

  test("says how many, before what, where to, and what it is told apart by", async () => {
    const before = "ab".repeat(16);
    const request = { limit: 5, before, responseTopic: "chat/reply/c1/x", correlation: 7 };
    const { asked, replies } = await ask(JSON.stringify(request));
    expect(asked).toEqual([["lobby", before.toUpperCase(), 5]]);
    expect(replies).toMatchObject([{ topic: "chat/reply/c1/x", body: { correlation: 7 } }]);
  });

  test("takes MQTT 5's properties", async () => {
    const properties = { responseTopic: "chat/reply/c1/5", correlationData: "five" };
    const { replies } = await ask("", {}, properties);
    expect(replies).toMatchObject([{ topic: "chat/reply/c1/5", body: { correlation: "five" } }]);
  });

  test.each([
    "chat/room/lobby",
    "chat/reply/c2",
    "chat/reply/c12",
    "chat/reply",
    "$SYS/x",
    "chat/reply/c1/+",
  ])("to a topic that is not the client's is refused: %s", async (responseTopic) => {
    const { asked, replies } = await ask(JSON.stringify({ responseTopic }));
    expect(asked).toEqual([]);
    expect(replies).toMatchObject([{ topic: "chat/reply/c1", body: { code: "BAD_REQUEST" } }]);
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["a limit of 0", '{"limit":0}'],
    ["a limit of 101", '{"limit":101}'],
    ["half a limit", '{"limit":1.5}'],
    ["no message id", '{"before":"x"}'],
    ["no topic", '{"responseTopic":7}'],
    ["too long", `{"x":"${"x".repeat(5_000)}"}`],
  ])("with %s is refused", async (_, payload) => {
    const { asked, replies } = await ask(payload);
    expect(asked).toEqual([]);
    expect(replies).toMatchObject([{ topic: "chat/reply/c1", body: { code: "BAD_REQUEST" } }]);
  });

  test("is told when the log can't be read", async () => {
    const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));
    const { replies } = await ask('{"correlation":"a"}', {}, {}, away);
    expect(replies).toMatchObject([{ body: { correlation: "a", code: "UNAVAILABLE" } }]);
  });

  test("of a client whose reply topic would be a filter is not answered", async () => {
    expect(await ask("", { from: "a/#" })).toEqual({ asked: [], replies: [] });
  });

  test("of a client whose reply topic would be below another's is not answered", async () => {
    expect(await ask("", { from: "a/b" })).toEqual({ asked: [], replies: [] });
  });

  test("is refused where too many are under way, and not answered where still more are", async () => {
    const bodies: { readonly code?: string }[] = [];
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let asked = 0;
    const requests = createMqttHistory({
      roomOf: () => "lobby",
      replyTopicOf: (client) => `chat/reply/${client}`,
      async history() {
        asked += 1;
        await released;
        return page;
      },
      async publish(_topic, body) {
        bodies.push(JSON.parse(Buffer.from(body).toString()) as { code?: string });
        await released;
      },
      logger: silentLogger,
    });
    const request = { ...entry(9, ""), topic: "chat/history/lobby", from: "c1" };
    const answered = Array.from({ length: 3_000 }, () => requests.onMessage(request, {}));
    await settled();
    expect(asked).toBe(64);
    expect(bodies.length).toBeLessThan(1_100);
    expect(new Set(bodies.map(({ code }) => code))).toEqual(new Set(["RATE_LIMITED"]));
    release();
    await Promise.all(answered);
    await requests.onMessage(request, {});
    expect(asked).toBe(65);
  });

  test("is none on another topic", async () => {
    expect(await ask("", { topic: "chat/room/lobby" })).toEqual({ asked: [], replies: [] });
  });
});
