/**
 * The proto3 JSON mapping of frames, `{"say":{"ref":1,…}}`, in both directions, driven by the
 * tables of schema.ts. The tables are turned into lists of field readers and writers once.
 */
import { Mismatch, enumKind, mismatch, scalarKind, type JsonKind } from "./json-value.js";
import type { AnyFields, Field, Schema, ValueKind } from "./schema.js";

type AnyFrame = { readonly type: string };
type JsonObject = Readonly<Record<string, unknown>>;

export interface FrameMapping<F extends AnyFrame> {
  /** The frame that a key names; its proto name serves as well. */
  typeOf(key: string): F["type"] | undefined;
  /** Reads the value of that key. */
  read(type: F["type"], body: unknown): F | Mismatch;
  /** What JSON.stringify takes. */
  write(frame: F): JsonObject;
}

export function createFrameMapping<F extends AnyFrame>(
  schema: Schema<F> & Readonly<Record<F["type"], AnyFields>>,
): FrameMapping<F> {
  const messages = new Map<F["type"], MessageMapping>();
  const types = new Map<string, F["type"]>();
  for (const [type, fields] of Object.entries<AnyFields>(schema)) {
    messages.set(type, createMessageMapping(fields));
    types.set(type, type).set(toProtoName(type), type);
  }
  const messageOf = (type: F["type"]): MessageMapping => {
    const mapping = messages.get(type);
    if (mapping === undefined) throw new TypeError(`no frame of type ${type}`);
    return mapping;
  };
  return {
    typeOf: (key) => types.get(key),
    read(type, body) {
      const frame = messageOf(type).read(body, { type });
      // The schema's type says that its rows make up exactly the frames of F.
      return frame instanceof Mismatch ? frame.within(type) : (frame as unknown as F);
    },
    write: (frame) => ({ [frame.type]: messageOf(frame.type).write({ ...frame }) }),
  };
}

interface MessageMapping {
  /** Adds the fields to `onto`. */
  read(json: unknown, onto: Record<string, unknown>): Record<string, unknown> | Mismatch;
  write(message: JsonObject): JsonObject;
}

/** A field, ready to use. */
interface FieldMapping extends JsonKind {
  readonly name: string;
  readonly protoName: string;
  /** What a field that was not given is; optional ones are left out. */
  initial(): unknown;
  /** Whether a value need not be written. */
  isImplied(value: unknown): boolean;
}

function createMessageMapping(fields: AnyFields): MessageMapping {
  const mappings = Object.entries(fields).map(([name, field]) => createFieldMapping(name, field));
  return {
    read(json, onto) {
      if (!isObject(json)) return mismatch("an object", json);
      for (const field of mappings) {
        // null is the default, as if the field was not there.
        const given = json[field.name] ?? json[field.protoName] ?? null;
        const value = given === null ? field.initial() : field.read(given);
        if (value instanceof Mismatch) return value.within(field.name);
        if (value !== undefined) onto[field.name] = value;
      }
      return onto;
    },
    write(message) {
      const json: Record<string, unknown> = {};
      for (const field of mappings) {
        const value = message[field.name];
        if (!field.isImplied(value)) json[field.name] = field.write(value);
      }
      return json;
    },
  };
}

function createFieldMapping(name: string, field: Field): FieldMapping {
  const common = { name, protoName: toProtoName(name) };
  if (typeof field === "object" && "optional" in field) {
    return {
      ...common,
      ...scalarKind(field.optional),
      initial: () => undefined,
      isImplied: (value) => value === undefined,
    };
  }
  if (typeof field === "object" && "repeated" in field) {
    return {
      ...common,
      ...listKind(kindOf(field.repeated)),
      initial: () => [],
      isImplied: (value) => Array.isArray(value) && value.length === 0,
    };
  }
  const kind = kindOf(field);
  return {
    ...common,
    ...kind,
    initial: () => kind.zero,
    isImplied: (value) => value === kind.zero,
  };
}

function kindOf(kind: ValueKind): JsonKind {
  if (typeof kind === "string") return scalarKind(kind);
  return "names" in kind ? enumKind(kind) : messageKind(createMessageMapping(kind.fields));
}

function messageKind(mapping: MessageMapping): JsonKind {
  return {
    zero: undefined,
    read: (value) => mapping.read(value, {}),
    write: (value) => (isObject(value) ? mapping.write(value) : value),
  };
}

function listKind(item: JsonKind): JsonKind {
  return {
    zero: undefined,
    read(value) {
      if (!Array.isArray(value)) return mismatch("an array", value);
      const items: unknown[] = [];
      for (const [index, json] of value.entries()) {
        const read = item.read(json);
        if (read instanceof Mismatch) return read.within(String(index));
        items.push(read);
      }
      return items;
    },
    write: (value) => (Array.isArray(value) ? value.map((each) => item.write(each)) : value),
  };
}

/** Whether JSON.parse gave an object: neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The field's name in the .proto file, which a proto3 JSON parser takes as well. */
function toProtoName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
