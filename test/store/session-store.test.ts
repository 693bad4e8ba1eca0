import { afterAll, beforeAll, describe } from "@jest/globals";
import { startRedisServer } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { createMemoryHarness, createRedisHarness } from "./harness.js";
import { sessionStoreContract } from "./session-store.contract.js";

describe("the session store in memory", () => {
  sessionStoreContract(() => Promise.resolve(createMemoryHarness()));
});

describe.each(["standalone", "cluster"] as const)("the session store in Redis, %s", (mode) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ cluster: mode === "cluster" });
  }, 30_000);
  afterAll(() => server.close());

  sessionStoreContract(() => createRedisHarness(server, mode));
});
