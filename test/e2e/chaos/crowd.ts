/** Chat and MQTT clients that talk in their rooms, and keep records of what they were told. */
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type MqttClient } from "mqtt";
import { createChatClient, type ChatClient, type Qos } from "../../../src/client/index.js";
import type { Entry, Noted, Said, Session } from "./proof.js";

export interface CrowdOptions {
  readonly chatPort: number;
  readonly mqttPort: number;
  readonly rooms: readonly string[];
  readonly chatters: number;
  readonly mqttClients: number;
  readonly sayEveryMs: number;
  /** 0 up to 1. */
  readonly random: () => number;
}

export interface Crowd {
  readonly said: readonly Said[];
  readonly sessions: readonly Session[];
  /** Why what was said was refused. */
  readonly refused: readonly string[];
  readonly mqttHeard: number;
  /** Talks until told to stop, then waits for the answers. */
  talk(signal: AbortSignal): Promise<void>;
  /** All that the room's log has. */
  history(room: string): Promise<readonly Entry[]>;
  end(): Promise<void>;
}

interface Chatter {
  readonly client: ChatClient;
  readonly name: string;
  readonly room: string;
  readonly qos: Qos;
  readonly notes: Noted[];
}

export async function gather(options: CrowdOptions): Promise<Crowd> {
  const { rooms, sayEveryMs, random } = options;
  const roomOf = (index: number) => rooms[index % rooms.length] ?? "";
  const indices = (count: number) => Array.from({ length: count }, (_, index) => index);
  const chatters = await Promise.all(
    indices(options.chatters).map((index) => openChatter(options.chatPort, index, roomOf(index))),
  );
  const heard = { count: 0 };
  const others = await Promise.all(
    indices(options.mqttClients).map((index) =>
      openMqtt(options.mqttPort, index, roomOf(index), heard),
    ),
  );
  const said: Said[] = [];
  const refused: string[] = [];

  async function every(signal: AbortSignal, act: (count: number) => void): Promise<void> {
    await delay(random() * sayEveryMs);
    for (let count = 0; !signal.aborted; count += 1) {
      act(count);
      await delay(sayEveryMs);
    }
  }

  async function talkAs({ client, name, room, qos }: Chatter, signal: AbortSignal): Promise<void> {
    const answers: Promise<unknown>[] = [];
    await every(signal, (count) => {
      const text = `${name} says ${count}`;
      const answer = client.say({ room }, text, { qos }).then(
        (ok) => said.push({ room, text, ...ok, at: Date.now() }),
        (error: unknown) => refused.push(`${text}: ${String(error)}`),
      );
      answers.push(answer);
    });
    await Promise.all(answers);
  }

  return {
    said,
    refused,
    sessions: chatters,
    get mqttHeard() {
      return heard.count;
    },
    async talk(signal) {
      const publish = ({ client, name, topic }: (typeof others)[number]) =>
        every(signal, (count) => client.publish(topic, `${name} says ${count}`, { qos: 1 }));
      await Promise.all([...chatters.map((one) => talkAs(one, signal)), ...others.map(publish)]);
    },
    async history(room) {
      const client = chatters.find((chatter) => chatter.room === room)?.client;
      if (client === undefined) return [];
      const entries: Entry[] = [];
      for (let before = ""; ;) {
        const page = await client.history(room, { limit: 100, before });
        for (const { id, offset, text = "" } of page.messages) entries.push({ id, offset, text });
        if (!page.more) return entries;
        before = entries.at(-1)?.id ?? "";
      }
    },
    async end() {
      await Promise.all([
        ...chatters.map(({ client }) => client.disconnect()),
        ...others.map(({ client }) => client.endAsync(true)),
      ]);
    },
  };
}

async function openChatter(port: number, index: number, room: string): Promise<Chatter> {
  const name = `chat-${index}`;
  // As many of each in every room.
  const qos: Qos = index % 2 === 0 ? 1 : 2;
  const notes: Noted[] = [];
  const client = createChatClient({
    port,
    clientId: name,
    username: name,
    keepalive: 2,
    loginTimeoutMs: 5_000,
    reconnect: { initialDelayMs: 100, maxDelayMs: 1_000 },
  });
  client.on("message", ({ text = "", id, offset }) => {
    notes.push({ kind: "message", text, id, offset });
  });
  client.on("gap", ({ room: where = "", from, to }) => {
    notes.push({ kind: "gap", room: where, from, to });
  });
  await client.connect();
  await client.join(room, { qos, echo: true });
  return { client, name, room, qos, notes };
}

async function openMqtt(
  port: number,
  index: number,
  room: string,
  heard: { count: number },
): Promise<{ readonly client: MqttClient; readonly name: string; readonly topic: string }> {
  const name = `mqtt-${index}`;
  const topic = `chat/room/${room}`;
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: name,
    clean: false,
    reconnectPeriod: 200,
  });
  // It is cut off again and again, and comes back by itself.
  client.on("error", () => undefined);
  client.on("message", () => (heard.count += 1));
  await client.subscribeAsync(topic, { qos: 1 });
  return { client, name, topic };
}
