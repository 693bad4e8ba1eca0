import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { silentLogger } from "../../src/logger.js";
import { startRedisServer } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { createMemoryHarness, createRedisHarness, openRedisStores } from "./harness.js";
import { mqttClientRecord, mqttClientStoreContract } from "./mqtt-client-store.contract.js";

describe("the store of MQTT clients in memory", () => {
  mqttClientStoreContract(() => Promise.resolve(createMemoryHarness()));
});

describe.each(["standalone", "cluster"] as const)(
  "the store of MQTT clients in Redis, %s",
  (mode) => {
    let server: RedisServer;

    beforeAll(async () => {
      server = await startRedisServer({ cluster: mode === "cluster" });
    }, 30_000);
    afterAll(() => server.close());

    mqttClientStoreContract(() => createRedisHarness(server, mode));

    test("removes what it can't read", async () => {
      const keyPrefix = "odd:";
      const { mqttClients, close } = await openRedisStores({
        ...{ url: server.url, mode, keyPrefix, logger: silentLogger },
      });
      const name = { protocol: "mqtt", clientId: "m1" };
      await server.admin.set(`${keyPrefix}m:mqtt:m1`, "{}");
      await expect(mqttClients.read(name)).resolves.toBeUndefined();
      await expect(mqttClients.replace(name, undefined, mqttClientRecord(), 60)).resolves.toBe(
        true,
      );
      await close();
    });
  },
);
