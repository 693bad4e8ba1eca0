import { beforeEach, describe, expect, test } from "@jest/globals";
import { createArrivals, type Arrivals } from "../../src/handler/arrivals.js";
import type { BrokerMessage } from "../../src/protocol.js";
import { settled } from "../support/fake-clock.js";

type Messages = readonly BrokerMessage[];

const message = (text: string): BrokerMessage => ({
  id: text,
  topic: "chat/room/lobby",
  payload: Buffer.from(text),
  qos: 1,
  from: "m1",
  timestamp: 1,
});

let arrivals: Arrivals;
let delivered: string[];
/** Those whose place is looked up, by id of the first message. */
let lookUps: Map<string, () => void>;

beforeEach(() => {
  delivered = [];
  lookUps = new Map();
  arrivals = createArrivals(
    {
      locate(messages: Messages) {
        const [first] = messages;
        if (first?.id.startsWith("slow") !== true) return messages;
        return new Promise((resolve) => lookUps.set(first.id, () => resolve(messages)));
      },
    },
    (messages) => void delivered.push(...messages.map(({ id }) => id)),
  );
});

describe("arrivals", () => {
  test("pass at once where their places are known", () => {
    arrivals.put([message("a"), message("b")]);
    expect(delivered).toEqual(["a", "b"]);
    expect(arrivals.pendingBytes).toBe(0);
  });

  test("wait for the ones before them, whatever is known of them", async () => {
    arrivals.put([message("slow 1")]);
    arrivals.put([message("a")]);
    arrivals.put([message("slow 2")]);
    arrivals.put([message("b")]);
    await settled();
    expect(delivered).toEqual([]);
    expect(arrivals.pendingBytes).toBe("slow 1aslow 2b".length);
    lookUps.get("slow 1")?.();
    await settled();
    expect(delivered).toEqual(["slow 1", "a"]);
    lookUps.get("slow 2")?.();
    await settled();
    expect(delivered).toEqual(["slow 1", "a", "slow 2", "b"]);
    expect(arrivals.pendingBytes).toBe(0);
    arrivals.put([message("c")]);
    expect(delivered.at(-1)).toBe("c");
  });
});
