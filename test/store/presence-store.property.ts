import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { PresenceEntry, PresenceStore } from "../../src/store/presence-store.js";
import type { StoreHarness } from "./harness.js";
import { createPresenceModel } from "./presence-model.js";

const TICK_MS = 60_000;
const ROOMS = ["r1", "r2"];

interface Step {
  readonly name: "join" | "leave" | "renew" | "retire" | "reap" | "advance";
  readonly gateway: string;
  readonly room: string;
  readonly instance: string;
  readonly protocol: "chat" | "mqtt";
  readonly client: number;
  readonly ticks: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  // Named more than once: more of them.
  name: fc.constantFrom(
    ...(["join", "join", "join", "join", "leave", "leave", "leave"] as const),
    ...(["renew", "renew", "advance", "reap", "retire"] as const),
  ),
  gateway: fc.constantFrom("g1", "g2", "g3"),
  room: fc.constantFrom(...ROOMS),
  instance: fc.constantFrom("i1", "i2", "i3"),
  protocol: fc.constantFrom("chat", "mqtt"),
  client: fc.nat(1),
  ticks: fc.integer({ min: 1, max: 3 }),
});

/** What a step gives, without what may differ: the order of the departed, and by which instance. */
async function perform(store: PresenceStore, at: Step): Promise<unknown> {
  switch (at.name) {
    case "join":
      return store.join(at.gateway, {
        room: at.room,
        instance: at.instance,
        ...(at.protocol !== "chat" && { protocol: at.protocol }),
        clientId: `c${at.client}`,
        username: `u${at.client}`,
        since: at.ticks,
      });
    case "leave":
      return store.leave(at.gateway, at.room, at.instance);
    case "renew":
      return store.renew(at.gateway, at.ticks * TICK_MS);
    case "retire":
      return whoDeparted(await store.retire(at.gateway));
    case "reap":
      return whoDeparted(await store.reap());
    case "advance":
      throw new Error("time is not the store's");
  }
}

function whoDeparted(departed: readonly PresenceEntry[]): readonly string[] {
  return departed
    .map(({ room, protocol, clientId, username }) => `${room} ${protocol} ${clientId} ${username}`)
    .sort();
}

/** Random interleavings of several gateways over two processes, step by step against the model. */
export function presenceStoreProperty(create: () => Promise<StoreHarness>): void {
  test(
    "does what the model does, in whatever order things happen",
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { presence, advance, close } = await create();
          try {
            const model = createPresenceModel();
            for (const [i, at] of steps.entries()) {
              const store = presence[i % 2 === 0 ? 0 : 1];
              if (at.name === "advance") {
                model.advance(TICK_MS);
                await advance(TICK_MS);
              } else {
                const expected = await perform(model, at);
                expect([at.name, await perform(store, at)]).toEqual([at.name, expected]);
              }
              for (const room of ROOMS) {
                expect(await store.list(room)).toEqual(await model.list(room));
              }
            }
          } finally {
            await close();
          }
        }),
        { numRuns: 60 },
      ),
    60_000,
  );
}
