import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { LogMessage } from "../../src/store/records.js";
import type { ArchiveSource, RetentionOptions, RoomLog } from "../../src/store/room-log.js";
import { createMemoryHarness } from "./harness.js";
import type { StoreHarness } from "./harness.js";
import { logMessage, publicationOf } from "./room-log.contract.js";

const TICK_MS = 60_000;
const DAY_MS = 24 * 3600 * 1000;

interface Step {
  readonly name:
    | "append"
    | "publish"
    | "announce"
    | "settle"
    | "read"
    | "readBack"
    | "claim"
    | "confirm"
    | "advance";
  readonly topic: string;
  readonly n: number;
  readonly count: number;
  readonly isOld: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  // Named more than once: more of them.
  name: fc.constantFrom(
    ...(["append", "append", "append", "publish", "publish", "publish", "announce"] as const),
    ...(["announce", "settle", "settle", "read", "readBack"] as const),
    ...(["claim", "confirm", "advance"] as const),
  ),
  topic: fc.constantFrom("t1", "t1", "t2"),
  n: fc.integer({ min: 0, max: 9 }),
  count: fc.integer({ min: 1, max: 7 }),
  isOld: fc.boolean(),
});

function messagesOf({ name, topic, n, count, isOld }: Step, now: number): readonly LogMessage[] {
  return Array.from({ length: count }, (_, i) =>
    logMessage(n + i, {
      topic,
      timestamp: isOld ? now - 2 * DAY_MS : now,
      ...(name === "publish" && { protocol: "", payload: Buffer.from(`p${(n + i) % 2}`) }),
    }),
  );
}

async function perform(
  log: RoomLog & ArchiveSource,
  { topic, n, count, ...rest }: Step,
  now: number,
): Promise<unknown> {
  // Two keys of each payload.
  const publication = publicationOf(`k${n % 4}`, { payload: Buffer.from(`p${n % 2}`) });
  const range = { limit: count, maxBytes: 30 };
  switch (rest.name) {
    case "append":
    case "publish":
      return log.append(topic, messagesOf({ topic, n, count, ...rest }, now));
    case "announce":
      return log.announce(topic, publication, count * TICK_MS);
    case "settle":
      return log.settle(topic, publication);
    case "read":
      return log.read(topic, { after: n, ...range });
    case "readBack":
      return log.readBack(topic, { before: rest.isOld ? logMessage(n).id : n, ...range });
    case "claim":
      return log.claim(topic, { limit: count, reclaimAfterMs: rest.isOld ? 0 : DAY_MS });
    case "confirm":
      return log.confirm(
        topic,
        Array.from({ length: count }, (_, i) => n + i),
      );
    case "advance":
      throw new Error("time is not the log's");
  }
}

/** Without what may differ: epochs follow two clocks, and bytes come in two types. */
function comparable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (key, part: unknown) => (key === "epoch" ? "epoch" : part)),
  );
}

/** Random operations over two processes give the answers that the log in memory gives. */
export function roomLogProperty(
  create: (retention: Partial<RetentionOptions>) => Promise<StoreHarness>,
): void {
  test.each([true, false])(
    "does what the log in memory does, in whatever order things happen (archived: %s)",
    (isArchived) =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const retention = { isArchived, maxEntries: 6, maxAgeMs: DAY_MS };
          const model = createMemoryHarness(retention);
          const real = await create(retention);
          const now = Date.now();
          try {
            for (const [i, at] of steps.entries()) {
              if (at.name === "advance") {
                await model.advance(TICK_MS);
                await real.advance(TICK_MS);
                continue;
              }
              const expected = await perform(model.logs[0], at, now);
              const actual = await perform(real.logs[i % 2 === 0 ? 0 : 1], at, now);
              expect([at.name, comparable(actual)]).toEqual([at.name, comparable(expected)]);
              const topics = ["t1", "t2"];
              expect(comparable(await real.logs[0].open(topics))).toEqual(
                comparable(await model.logs[0].open(topics)),
              );
              expect(await real.logs[1].lag()).toBe(await model.logs[1].lag());
            }
          } finally {
            await Promise.all([model.close(), real.close()]);
          }
        }),
        { numRuns: 60 },
      ),
    60_000,
  );
}
