import { afterAll, beforeAll, describe } from "@jest/globals";
import { startRedisServer } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { createMemoryHarness, createRedisHarness } from "./harness.js";
import { roomLogContract } from "./room-log.contract.js";
import { roomLogProperty } from "./room-log.property.js";

describe("the room log in memory", () => {
  roomLogContract((retention) => Promise.resolve(createMemoryHarness(retention)));
});

describe.each(["standalone", "cluster"] as const)("the room log in Redis, %s", (mode) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ cluster: mode === "cluster" });
  }, 30_000);
  afterAll(() => server.close());

  roomLogContract((retention) => createRedisHarness(server, mode, retention));
  if (mode === "standalone") {
    roomLogProperty((retention) => createRedisHarness(server, mode, retention));
  }
});
