/** A memory log that can be told to be away, to be slow, or to refuse; and that counts its calls. */
import { GatewayError } from "../../src/errors.js";
import {
  createMemoryRoomLog,
  type LogMessage,
  type RetentionOptions,
  type RoomLog,
} from "../../src/store/index.js";
import type { FakeClock } from "../support/fake-clock.js";

export interface FaultyLog extends RoomLog {
  /** Every call rejects with it while it is set. */
  fault: Error | undefined;
  /** Calls wait until `answer`. */
  isSlow: boolean;
  /** Answers what waits, the oldest call first. */
  answer(): void;
  /** The names of the calls, in order; of an append with the count of its messages. */
  readonly calls: readonly string[];
}

export const away = new GatewayError("UNAVAILABLE", "the store is away");
export const refusal = new GatewayError("INTERNAL", "a bug");

export const TOPIC = "chat/room/lobby";

let lastId = 0;

export function message(text: string, more: Partial<LogMessage> = {}): LogMessage {
  lastId += 1;
  return {
    id: lastId.toString(16).toUpperCase().padStart(32, "0"),
    topic: TOPIC,
    from: "m1",
    username: "",
    protocol: "mqtt",
    qos: 1,
    payload: Buffer.from(text),
    timestamp: 1_700_000_000_000,
    ...more,
  };
}

export function createFaultyLog(
  clock: FakeClock,
  retention: Partial<RetentionOptions> = {},
): FaultyLog {
  const log = createMemoryRoomLog({ clock, retention });
  const calls: string[] = [];
  let waiting: (() => void)[] = [];

  async function call<T>(name: string, run: () => Promise<T>): Promise<T> {
    calls.push(name);
    if (faulty.isSlow) await new Promise<void>((resolve) => waiting.push(resolve));
    if (faulty.fault !== undefined) throw faulty.fault;
    return run();
  }

  const faulty: FaultyLog = {
    fault: undefined,
    isSlow: false,
    calls,
    answer() {
      const all = waiting;
      waiting = [];
      for (const resolve of all) resolve();
    },
    open: (topics) => call("open", () => log.open(topics)),
    append: (topic, messages) =>
      call(`append ${messages.length}`, () => log.append(topic, messages)),
    read: (topic, range) => call("read", () => log.read(topic, range)),
    readBack: (topic, range) => call("readBack", () => log.readBack(topic, range)),
    announce: (topic, publication, windowMs) =>
      call("announce", () => log.announce(topic, publication, windowMs)),
    settle: (topic, publication) => call("settle", () => log.settle(topic, publication)),
  };
  return faulty;
}
