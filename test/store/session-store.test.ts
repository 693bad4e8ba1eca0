import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { SESSION_MAX_AGE_SECONDS } from "../../src/store/session-store.js";
import { startRedisServer } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { createMemoryHarness, createRedisHarness } from "./harness.js";
import { sessionRecord, sessionStoreContract } from "./session-store.contract.js";

describe("the session store in memory", () => {
  sessionStoreContract(() => Promise.resolve(createMemoryHarness()));

  test("keeps a session for as long as it is held, whichever others end meanwhile", async () => {
    const { sessions, advance } = createMemoryHarness();
    const [store] = sessions;
    const { epoch } = await store.take("alice", "al");
    const record = sessionRecord({ epoch });
    await store.save(record);
    await advance(SESSION_MAX_AGE_SECONDS * 1000 + 60_000);
    const bob = await store.take("bob", "bo");
    await store.drop("bob", bob.epoch);
    await expect(store.save({ ...record, seq: 8 })).resolves.toBe(true);
    await advance(SESSION_MAX_AGE_SECONDS * 1000 + 60_000);
    await expect(store.release("alice", epoch)).resolves.toBe(true);
    await expect(store.take("alice", "al")).resolves.toMatchObject({ previous: { seq: 8 } });
  });
});

describe.each(["standalone", "cluster"] as const)("the session store in Redis, %s", (mode) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ cluster: mode === "cluster" });
  }, 30_000);
  afterAll(() => server.close());

  sessionStoreContract(() => createRedisHarness(server, mode));

  test("keeps a session whose gateway died for its maximum age, and no longer", async () => {
    const harness = await createRedisHarness(server, mode);
    const [one, other] = harness.sessions;
    const { epoch } = await one.take("alice", "al");
    const record = sessionRecord({ epoch, expirySeconds: 60 });
    await one.save(record);
    await harness.advance(SESSION_MAX_AGE_SECONDS * 1000 - 60_000);
    await one.save(record);
    await harness.advance(SESSION_MAX_AGE_SECONDS * 1000 - 60_000);
    await expect(other.take("alice", "al")).resolves.toHaveProperty("previous");
    await harness.advance(SESSION_MAX_AGE_SECONDS * 1000);
    await expect(other.take("alice", "al")).resolves.not.toHaveProperty("previous");
    await harness.close();
  });
});
