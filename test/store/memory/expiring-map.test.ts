import { describe, expect, test } from "@jest/globals";
import { ExpiringMap } from "../../../src/store/memory/expiring-map.js";
import { createFakeClock } from "../../support/fake-clock.js";

describe("a map whose entries end", () => {
  test("gives an entry until its time, and not from then on", async () => {
    const clock = createFakeClock();
    const map = new ExpiringMap<string>(clock);
    map.set("a", "x", 1_000);
    await clock.advance(999);
    expect(map.get("a")).toBe("x");
    await clock.advance(1);
    expect(map.get("a")).toBeUndefined();
  });

  test("counts the time from the last set", async () => {
    const clock = createFakeClock();
    const map = new ExpiringMap<string>(clock);
    map.set("a", "x", 1_000);
    await clock.advance(900);
    map.set("a", "y", 1_000);
    await clock.advance(900);
    expect(map.get("a")).toBe("y");
    map.delete("a");
    expect(map.get("a")).toBeUndefined();
  });

  test("keeps for good what has no end", async () => {
    const clock = createFakeClock();
    const map = new ExpiringMap<string>(clock);
    map.set("a", "x", Infinity);
    await clock.advance(10 ** 12);
    map.set("b", "y", 1_000);
    expect(map.get("a")).toBe("x");
  });

  test("does not grow for ever: a write lets go of what has ended", async () => {
    const clock = createFakeClock();
    const map = new ExpiringMap<number>(clock);
    for (let i = 0; i < 10_000; i++) {
      map.set(`key ${i}`, i, 5_000);
      await clock.advance(1_000);
    }
    // A minute's worth, and what is alive.
    expect(map.size).toBeLessThanOrEqual(65);
    expect(map.get("key 9999")).toBe(9_999);
  });
});
