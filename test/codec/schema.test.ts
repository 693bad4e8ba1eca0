import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import {
  clientSchema,
  serverSchema,
  type AnyFields,
  type Field,
  type ValueKind,
} from "../../src/codec/schema.js";
import { openProtobufClient, protobuf } from "../../src/codec/index.js";
import * as pb from "../../src/rpc/generated/chat.js";
import { clientVectors, serverVectors, toHex } from "../support/vectors.js";

/** proto/chat.proto as its blocks: name → declarations, without comments. */
const blocks = new Map<string, string>();
const proto = readFileSync(new URL("../../proto/chat.proto", import.meta.url), "utf8")
  .replaceAll(/\/\/.*/g, "")
  // An enum within a message stands by itself.
  .replaceAll(/^ {2}enum (\w+) \{([^}]*)\}/gm, (_all, name: string, body: string) => {
    blocks.set(name, body);
    return "";
  })
  .replaceAll(/oneof \w+ \{([^}]*)\}/g, "$1");
for (const [, name, body] of proto.matchAll(/^(?:message|enum) (\w+) \{([^}]*)\}/gm)) {
  blocks.set(name!, body!);
}

function declarations(block: string): { label: string; type: string; name: string }[] {
  const all = blocks.get(block)!.matchAll(/(optional |repeated |)(\w+) (\w+) = \d+;/g);
  return [...all].map(([, label, type, name]) => ({
    label: label!.trim(),
    type: type!,
    name: name!.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
  }));
}

function enumNames(block: string): string[] {
  return [...blocks.get(block)!.matchAll(/(\w+) = \d+;/g)].map(([, name]) => name!);
}

/** The proto's declaration, in the words of the schema. */
function fieldOf({ label, type }: { label: string; type: string }): unknown {
  const kind = kindOf(type);
  return label === "" ? kind : { [label]: kind };
}

function kindOf(type: string): unknown {
  if (!blocks.has(type)) return type;
  const fields = declarations(type);
  return fields.length === 0 ? { names: enumNames(type) } : { fields: fieldsOf(type) };
}

function fieldsOf(block: string): Record<string, unknown> {
  return Object.fromEntries(declarations(block).map((field) => [field.name, fieldOf(field)]));
}

describe.each([
  ["ClientFrame", clientSchema],
  ["ServerFrame", serverSchema],
] as const)("the schema of %s", (block, schema) => {
  const frames = declarations(block);

  test("has every frame of the proto, and no other", () => {
    expect(frames.length).toBeGreaterThan(8);
    expect(Object.keys(schema)).toEqual(frames.map(({ name }) => name));
  });

  test.each(frames)("has the fields of $name as the proto declares them", ({ name, type }) => {
    const fields = new Map<string, AnyFields>(Object.entries(schema)).get(name);
    expect(fields).toEqual(fieldsOf(type));
  });
});

test("every frame has a vector", () => {
  const types = (vectors: readonly { frame: { type: string } }[]) =>
    [...new Set(vectors.map(({ frame }) => frame.type))].sort();
  expect(types(clientVectors)).toEqual(Object.keys(clientSchema).sort());
  expect(types(serverVectors)).toEqual(Object.keys(serverSchema).sort());
});

test("the enums have the numbers of the generated code", () => {
  const names = (kind: Field | ValueKind) =>
    typeof kind === "object" && "names" in kind ? kind.names : [];
  expect(names(serverSchema.bye.code).map((_name, number) => pb.codeFromJSON(number))).toEqual(
    names(serverSchema.bye.code),
  );
  const events = names(serverSchema.presence.event);
  expect(events.map((_name, number) => pb.presence_EventFromJSON(number))).toEqual(events);
});

describe("the envelope is the one of the generated code", () => {
  const options = { maxFrameBytes: 1024 };
  const body = (frame: Uint8Array) => frame.subarray(frame[0]! < 0x80 ? 1 : 2);

  test.each(serverVectors)("$name", ({ frame }) => {
    const encoded = body(protobuf.open(options).encode(frame));
    const generated = pb.ServerFrame.decode(encoded);
    expect(generated.frame?.$case).toBe(frame.type);
    expect(toHex(pb.ServerFrame.encode(generated).finish())).toBe(toHex(encoded));
  });

  test.each(clientVectors)("$name", ({ frame }) => {
    const client = openProtobufClient(options);
    client.encode({ type: "bye" });
    const encoded = body(client.encode(frame));
    const generated = pb.ClientFrame.decode(encoded);
    expect(generated.frame?.$case).toBe(frame.type);
    expect(toHex(pb.ClientFrame.encode(generated).finish())).toBe(toHex(encoded));
  });
});
