import { expect, test } from "@jest/globals";
import { retryDelayMs } from "../../src/archive/retry.js";

test.each([
  [1, 100],
  [2, 200],
  [5, 1_600],
  [8, 12_800],
  [9, 15_000],
  [1_000_000, 15_000],
])("after attempt %d it is %d ms at most, and half of it at least", (attempt, most) => {
  expect(retryDelayMs(attempt, 1)).toBe(most);
  expect(retryDelayMs(attempt, 0)).toBe(most / 2);
});
