import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { MqttClientRecord } from "../../src/store/records.js";
import type { StoreHarness } from "./harness.js";

export function mqttClientRecord(overrides: Partial<MqttClientRecord> = {}): MqttClientRecord {
  return {
    protocol: "mqtt",
    clientId: "m1",
    username: "mia",
    node: "emqx@10.0.0.1",
    peer: "10.0.0.7:50123",
    phase: "connected",
    rooms: [
      ["lobby", 1_000],
      ["küche", 2_000],
    ],
    before: ["garden"],
    ...overrides,
  };
}

const MAX_AGE_SECONDS = 600;

/** What every MqttClientStore must do. */
export function mqttClientStoreContract(create: () => Promise<StoreHarness>): void {
  let harness: StoreHarness;

  beforeEach(async () => {
    harness = await create();
  });
  afterEach(() => harness.close());

  const name = { protocol: "mqtt", clientId: "m1" };

  test("nothing is known of a client at first", async () => {
    await expect(harness.mqttClients[0].read(name)).resolves.toBeUndefined();
  });

  test.each(["connected", "resuming", "away"] as const)(
    "gives back what was written: %s",
    async (phase) => {
      const [one, other] = harness.mqttClients;
      const record = mqttClientRecord({ phase });
      await expect(one.replace(name, undefined, record, MAX_AGE_SECONDS)).resolves.toBe(true);
      await expect(other.read(name)).resolves.toEqual(record);
    },
  );

  test("keeps the clients of two protocols apart", async () => {
    const [store] = harness.mqttClients;
    const other = { protocol: "mqtt-sn", clientId: "m1" };
    await store.replace(name, undefined, mqttClientRecord(), MAX_AGE_SECONDS);
    await expect(store.read(other)).resolves.toBeUndefined();
    const record = mqttClientRecord(other);
    await expect(store.replace(other, undefined, record, MAX_AGE_SECONDS)).resolves.toBe(true);
    await expect(store.read(name)).resolves.toEqual(mqttClientRecord());
  });

  describe("a record that was read", () => {
    test("is replaced, and removed", async () => {
      const [one, other] = harness.mqttClients;
      await one.replace(name, undefined, mqttClientRecord(), MAX_AGE_SECONDS);
      const first = await other.read(name);
      const next = mqttClientRecord({ phase: "away", rooms: [] });
      await expect(other.replace(name, first, next, MAX_AGE_SECONDS)).resolves.toBe(true);
      const second = await one.read(name);
      expect(second).toEqual(next);
      await expect(one.replace(name, second, undefined, MAX_AGE_SECONDS)).resolves.toBe(true);
      await expect(other.read(name)).resolves.toBeUndefined();
    });

    test.each<readonly [string, MqttClientRecord | undefined]>([
      ["changed", mqttClientRecord({ before: [] })],
      ["removed", undefined],
    ])("is left alone when another has %s it", async (_what, change) => {
      const [one, other] = harness.mqttClients;
      await one.replace(name, undefined, mqttClientRecord(), MAX_AGE_SECONDS);
      const read = await one.read(name);
      await other.replace(name, await other.read(name), change, MAX_AGE_SECONDS);
      const mine = mqttClientRecord({ username: "me" });
      await expect(one.replace(name, read, mine, MAX_AGE_SECONDS)).resolves.toBe(false);
      await expect(one.replace(name, read, undefined, MAX_AGE_SECONDS)).resolves.toBe(false);
      await expect(one.read(name)).resolves.toEqual(change);
    });
  });

  test("one that came meanwhile is left alone", async () => {
    const [one, other] = harness.mqttClients;
    await other.replace(name, undefined, mqttClientRecord(), MAX_AGE_SECONDS);
    const mine = mqttClientRecord({ username: "me" });
    await expect(one.replace(name, undefined, mine, MAX_AGE_SECONDS)).resolves.toBe(false);
    await expect(one.read(name)).resolves.toEqual(mqttClientRecord());
  });

  test("of writers that have read the same, one writes", async () => {
    const writes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        harness.mqttClients[i % 2 === 0 ? 0 : 1].replace(
          name,
          undefined,
          mqttClientRecord({ username: `u${i}` }),
          MAX_AGE_SECONDS,
        ),
      ),
    );
    expect(writes.filter((isWritten) => isWritten)).toHaveLength(1);
  });

  test("is kept for its time, counted from the last write", async () => {
    const [store] = harness.mqttClients;
    await store.replace(name, undefined, mqttClientRecord(), MAX_AGE_SECONDS);
    await harness.advance((MAX_AGE_SECONDS - 60) * 1000);
    const again = mqttClientRecord({ before: [] });
    await store.replace(name, await store.read(name), again, MAX_AGE_SECONDS);
    await harness.advance((MAX_AGE_SECONDS - 60) * 1000);
    await expect(store.read(name)).resolves.toEqual(again);
    await harness.advance(60_000);
    await expect(store.read(name)).resolves.toBeUndefined();
  });
}
