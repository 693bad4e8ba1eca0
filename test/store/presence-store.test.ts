import { afterAll, beforeAll, describe } from "@jest/globals";
import { startRedisServer } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { createMemoryHarness, createRedisHarness } from "./harness.js";
import { presenceStoreContract } from "./presence-store.contract.js";

describe("the presence store in memory", () => {
  presenceStoreContract(() => Promise.resolve(createMemoryHarness()));
});

describe.each(["standalone", "cluster"] as const)("the presence store in Redis, %s", (mode) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ cluster: mode === "cluster" });
  }, 30_000);
  afterAll(() => server.close());

  presenceStoreContract(() => createRedisHarness(server, mode));
});
