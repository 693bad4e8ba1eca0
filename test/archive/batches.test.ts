import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { toBatches } from "../../src/archive/batches.js";
import { logEntry } from "./entries.js";

const sized = (sizes: readonly number[]) =>
  sizes.map((size, i) => logEntry(i + 1, { payload: new Uint8Array(size) }));

test.each([
  [[], []],
  [[5], [[5]]],
  [
    [1, 1, 1, 1],
    [[1, 1, 1], [1]],
  ],
  [
    [60, 40, 1],
    [[60, 40], [1]],
  ],
  [
    [1, 500, 1],
    [[1], [500], [1]],
  ],
  [
    [500, 1],
    [[500], [1]],
  ],
])("payloads of %j bytes go as %j, at most 3 and 100 bytes at once", (sizes, expected) => {
  const batches = toBatches(sized(sizes), { maxRows: 3, maxBytes: 100 });
  expect(batches.map((batch) => batch.map(({ payload }) => payload.length))).toEqual(expected);
});

test("batches keep the limits, the order and every entry", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 120 })),
      fc.integer({ min: 1, max: 5 }),
      (sizes, maxRows) => {
        const entries = sized(sizes);
        const batches = toBatches(entries, { maxRows, maxBytes: 100 });
        expect(batches.flat()).toEqual(entries);
        for (const batch of batches) {
          const bytes = batch.reduce((sum, { payload }) => sum + payload.length, 0);
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(maxRows);
          expect(bytes <= 100 || batch.length === 1).toBe(true);
        }
      },
    ),
  );
});
