import { describe, expect, jest, test } from "@jest/globals";
import { systemClock } from "../src/clock.js";

describe("the system's clock", () => {
  test("tells the time, in whole milliseconds", () => {
    const now = systemClock.now();
    expect(Number.isInteger(now)).toBe(true);
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
  });

  test("does not follow a wall clock that is set", () => {
    const before = systemClock.now();
    const wall = jest.spyOn(Date, "now").mockReturnValue(before + 3_600_000);
    expect(systemClock.now() - before).toBeLessThan(60_000);
    wall.mockRestore();
  });

  test("takes delays that setTimeout does not, without firing at once", async () => {
    let fired = false;
    const cancel = systemClock.schedule(2 ** 31, () => (fired = true));
    await new Promise((resolve) => systemClock.schedule(5, () => resolve(undefined)));
    cancel();
    expect(fired).toBe(false);
  });
});
