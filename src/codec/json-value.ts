/**
 * The proto3 JSON mapping of single values: what JSON.parse gave → a field's value, and back.
 * Nothing here throws; what does not fit is a `Mismatch`.
 */
import { Buffer } from "node:buffer";
import type { EnumKind, ScalarKind } from "./schema.js";
import { isWellFormed, toWellFormed } from "./unicode.js";

/** A value of a wrong type or out of range. */
export class Mismatch {
  constructor(
    private readonly expected: string,
    private readonly got: string,
    private readonly path = "",
  ) {}

  /** The same, seen from the object or the array around it. */
  within(name: string): Mismatch {
    return new Mismatch(this.expected, this.got, this.path === "" ? name : `${name}.${this.path}`);
  }

  get reason(): string {
    return `${this.path}: expected ${this.expected}, got ${this.got}`;
  }
}

export function mismatch(expected: string, given: unknown): Mismatch {
  return new Mismatch(expected, describe(given));
}

/** How one kind of value is read and written. */
export interface JsonKind {
  readonly zero: unknown;
  read(value: unknown): unknown;
  write(value: unknown): unknown;
}

const UINT32_MAX = 2 ** 32 - 1;
const DIGITS = /^(?:0|[1-9]\d{0,19})$/;
const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** Both alphabets, with or without padding. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

const same = (value: unknown) => value;

const scalars: Readonly<Record<ScalarKind, JsonKind>> = {
  string: {
    zero: "",
    read(value) {
      if (typeof value !== "string") return mismatch("a string", value);
      return isWellFormed(value) ? value : new Mismatch("valid Unicode", "half a surrogate pair");
    },
    write: (value) => (typeof value === "string" ? toWellFormed(value) : value),
  },
  bytes: {
    zero: Buffer.alloc(0),
    read: (value) => readBase64(value) ?? mismatch("bytes in base64", value),
    write: (value) => (value instanceof Uint8Array ? writeBase64(value) : value),
  },
  bool: {
    zero: false,
    read: (value) => (typeof value === "boolean" ? value : mismatch("true or false", value)),
    write: same,
  },
  uint32: {
    zero: 0,
    read: (value) =>
      readInteger(value, UINT32_MAX) ?? mismatch(`a whole number from 0 to ${UINT32_MAX}`, value),
    write: same,
  },
  uint64: {
    zero: 0,
    read: (value) =>
      readInteger(value, Number.MAX_SAFE_INTEGER) ??
      mismatch(`a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`, value),
    write: String,
  },
  double: {
    zero: 0,
    read: (value) => readDouble(value) ?? mismatch("a number", value),
    write: (value) => (Number.isFinite(value) ? value : String(value)),
  },
};

export function scalarKind(kind: ScalarKind): JsonKind {
  return scalars[kind];
}

export function enumKind({ names }: EnumKind): JsonKind {
  const byJson = new Map<unknown, string>(names.map((name) => [name, name]));
  names.forEach((name, number) => byJson.set(number, name));
  return {
    zero: names[0],
    read: (value) => byJson.get(value) ?? mismatch("a name of the enum", value),
    write: same,
  };
}

function readInteger(value: unknown, max: number): number | undefined {
  const number = typeof value === "string" && DIGITS.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number)) return undefined;
  // -0 becomes 0.
  return number >= 0 && number <= max ? number + 0 : undefined;
}

function readDouble(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  if (typeof value !== "string" || !DECIMAL.test(value)) return undefined;
  return readDouble(Number(value));
}

function readBase64(value: unknown): Buffer | undefined {
  if (typeof value !== "string" || !BASE64.test(value)) return undefined;
  const rest = value.length % 4;
  const fits = value.endsWith("=") ? rest === 0 : rest !== 1;
  return fits ? Buffer.from(value, "base64") : undefined;
}

function writeBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

const MAX_SHOWN_CHARACTERS = 24;

/** Short, whatever the value: a reason never echoes long input. */
function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length <= MAX_SHOWN_CHARACTERS
        ? JSON.stringify(value)
        : `a string of ${value.length} characters`;
    case "number":
    case "boolean":
      return String(value);
    default:
      if (value === null) return "null";
      return Array.isArray(value) ? "an array" : "an object";
  }
}
