import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createByteQueue } from "../../src/codec/byte-queue.js";

test("gives back what was appended, in order, and starts anew", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.uint8Array({ maxLength: 200 }))), (rounds) => {
      const queue = createByteQueue();
      for (const pieces of rounds) {
        for (const piece of pieces) queue.append(piece);
        const all = pieces.flatMap((piece) => [...piece]);
        expect(queue.length).toBe(all.length);
        expect(queue.last).toBe(all.at(-1));
        expect([...queue.take()]).toEqual(all);
        expect(queue.length).toBe(0);
      }
    }),
  );
});

test("never writes to what was taken, nor looks at what was appended again", () => {
  const queue = createByteQueue();
  const piece = Uint8Array.of(1, 2, 3);
  queue.append(piece);
  piece.fill(0);
  const taken = queue.take();
  queue.append(Uint8Array.of(9, 9, 9));
  expect([...taken]).toEqual([1, 2, 3]);
});
