import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  decodeIndexed,
  decodeText,
  encodeIndexed,
  encodeText,
} from "../../src/archive/sql-text.js";
import { anyText } from "./entries.js";

describe("text for SQL", () => {
  test.each([
    ["lobby", "lobby"],
    ["Käse 🧀", "Käse 🧀"],
    ["a\\b", "a\\\\b"],
    ["\0", "\\u0000"],
    ["\n\u0085", "\\u000a\\u0085"],
    ["\ud83e", "\\ud83e"],
    ["\udcc0🧀", "\\udcc0🧀"],
    ["\\u0000", "\\\\u0000"],
    ["", ""],
  ])("of %j is %j", (text, encoded) => {
    expect(encodeText(text)).toBe(encoded);
    expect(decodeText(encoded)).toBe(text);
  });

  test("is what PostgreSQL takes, and comes back as it was", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const encoded = encodeText(text);
        expect(encoded).not.toContain("\0");
        expect(Buffer.from(encoded, "utf8").toString("utf8")).toBe(encoded);
        expect(decodeText(encoded)).toBe(text);
      }),
    );
  });
});

describe("an indexed text", () => {
  test.each([
    ["a".repeat(256), true],
    ["a".repeat(257), false],
    ["ä".repeat(128), true],
    ["ä".repeat(129), false],
    ["\0".repeat(42), true],
    ["\0".repeat(43), false],
  ])("is its own key up to 256 bytes", (text, isKey) => {
    const indexed = encodeIndexed(text);
    expect(indexed.long === null).toBe(isKey);
    expect(Buffer.byteLength(indexed.key)).toBeLessThanOrEqual(256);
    expect(decodeIndexed(indexed)).toBe(text);
  });

  test("has a key that no other has", () => {
    const { key } = encodeIndexed("x".repeat(1_000));
    expect(encodeIndexed(key).key).not.toBe(key);
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        expect(encodeIndexed(one).key === encodeIndexed(other).key).toBe(one === other);
      }),
    );
  });
});
