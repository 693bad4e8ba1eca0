/** The idle timeout and the keepalive timer, as EMQX 5.8 runs them. */
import { describe, expect, test } from "@jest/globals";
import { createFakeClock } from "../support/fake-clock.js";
import { useWorlds } from "./support/world.js";

const startWorld = useWorlds();

describe("the idle timeout", () => {
  test("closes a client that has not sent a byte for 30 s, authenticated or not", async () => {
    const clock = createFakeClock();
    const world = await startWorld({ clock });
    const clients = [await world.connect(), await world.login("client")];
    await clock.advance(29_999);
    expect(world.host.stats().connections).toBe(2);
    await clock.advance(1);
    for (const { conn } of clients) {
      expect(await world.closeReason(conn)).toBe("{shutdown,idle_timeout}");
    }
  });

  test("never closes one that has sent a byte", async () => {
    const clock = createFakeClock();
    const world = await startWorld({ clock });
    const client = await world.connect();
    await world.sendsByte(client);
    await clock.advance(24 * 3_600_000);
    expect(world.host.stats().connections).toBe(1);
  });
});

describe("the keepalive timer", () => {
  /** Seconds that pass, or what is done at that time. */
  type Deed = number | { readonly start: number } | "byte" | "Send";
  const start = (seconds: number) => ({ start: seconds });

  async function live(deeds: readonly Deed[]) {
    const clock = createFakeClock();
    const world = await startWorld({ clock });
    const client = await world.connect();
    const { conn } = client;
    // The idle timeout is of no concern here.
    await world.sendsByte(client);
    for (const deed of deeds) {
      if (typeof deed === "number") await clock.advance(deed * 1000);
      else if (deed === "byte") await world.sendsByte(client);
      else if (deed === "Send") await world.adapter.Send({ conn, bytes: Buffer.from("x") });
      else await world.adapter.StartTimer({ conn, type: "KEEPALIVE", interval: deed.start });
    }
    return { world, clock, client };
  }

  test.each<[string, readonly Deed[], number]>([
    ["of 1 s fires after 2 s", [start(1)], 2],
    ["of 2 s fires after 3 s", [start(2)], 3],
    ["of 4 s fires after 6 s", [start(4)], 6],
    ["of 10 s fires after 15 s", [start(10)], 15],
    ["of 4 s fires 6 s after the look that has seen the last byte", [start(4), 3, "byte"], 7],
    ["does not count what is sent to the client", [start(4), 3, "Send"], 3],
    ["counts anew when it is started again", [start(4), 5, start(4)], 5],
    ["of 60 s, then of 2 s fires at 32 s, as the pending look stays", [start(60), start(2)], 32],
  ])("%s", async (_name, deeds, firesAfterSeconds) => {
    const { world, clock, client } = await live(deeds);
    await clock.advance(firesAfterSeconds * 1000 - 1);
    expect(world.host.stats().connections).toBe(1);
    await clock.advance(1);
    expect(await world.closeReason(client.conn)).toBe("{shutdown,keepalive_timeout}");
    expect(world.methodsOf(client.conn).slice(-2)).toEqual(["OnTimerTimeout", "OnSocketClosed"]);
    await client.isClosed();
  });

  test("of 7 s, then of 60 s does not fire as the first would have", async () => {
    const { world, client } = await live([start(7), 3, start(60), 57]);
    expect(world.methodsOf(client.conn)).not.toContain("OnTimerTimeout");
    expect(world.host.stats().connections).toBe(1);
  });

  test("does not fire while bytes come", async () => {
    const aMinute = Array.from({ length: 20 }, (): Deed[] => ["byte", 3]).flat();
    const { world, client } = await live([start(4), ...aMinute]);
    expect(world.methodsOf(client.conn)).not.toContain("OnTimerTimeout");
    expect(world.host.stats().connections).toBe(1);
  });
});
