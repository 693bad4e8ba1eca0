/** Random frames, drawn from the schema, and random ways to cut and to damage a stream. */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { ClientFrame, ServerFrame } from "../../src/codec/index.js";
import {
  clientSchema,
  serverSchema,
  type AnyFields,
  type Field,
  type ValueKind,
} from "../../src/codec/schema.js";

const text = fc.string({ unit: "binary", maxLength: 60 });

const scalars = {
  string: fc.oneof(text, fc.string({ maxLength: 20 })),
  bytes: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  bool: fc.boolean(),
  uint32: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  uint64: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  double: fc.oneof(fc.maxSafeNat(), fc.double()).filter((number) => !Object.is(number, -0)),
};

function value(kind: ValueKind): fc.Arbitrary<unknown> {
  if (typeof kind === "string") return scalars[kind];
  return "names" in kind ? fc.constantFrom(...kind.names) : message(kind.fields);
}

function field(field: Field): fc.Arbitrary<unknown> {
  if (typeof field !== "object" || "names" in field) return value(field);
  return "optional" in field
    ? fc.option(value(field.optional), { nil: undefined })
    : fc.array(value(field.repeated), { maxLength: 3 });
}

function message(fields: AnyFields): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(
    Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, field(each)])),
    { noNullPrototype: true },
  );
}

function frame<Frame>(schema: Readonly<Record<string, AnyFields>>): fc.Arbitrary<Frame> {
  const frames = Object.entries(schema).map(([type, fields]) =>
    message(fields).map((values) => ({ type, ...values }) as unknown as Frame),
  );
  return fc.oneof(...frames);
}

export const clientFrame = frame<ClientFrame>(clientSchema);
export const serverFrame = frame<ServerFrame>(serverSchema);

/** Places to cut a stream at. */
export const cuts = fc.array(fc.nat({ max: 600 }), { maxLength: 12 });

export interface Damage {
  readonly at: number;
  readonly kind: "flip" | "remove" | "insert" | "truncate";
  readonly byte: number;
}

export const damages: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    at: fc.nat({ max: 600 }),
    kind: fc.constantFrom("flip", "remove", "insert", "truncate"),
    byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 10, 13, 34, 92, 125, 128, 255)),
  }),
  { minLength: 1, maxLength: 4 },
);

export function damage(stream: Uint8Array, all: readonly Damage[]): Uint8Array {
  const bytes = [...stream];
  for (const { at, kind, byte } of all) {
    const place = bytes.length === 0 ? 0 : at % bytes.length;
    if (kind === "flip") bytes[place] = byte;
    if (kind === "remove") bytes.splice(place, 1);
    if (kind === "insert") bytes.splice(place, 0, byte);
    if (kind === "truncate") bytes.length = place;
  }
  return Uint8Array.from(bytes);
}
