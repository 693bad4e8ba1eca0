/** The rings: imports point inwards. What a folder may import is written here, and nowhere else. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..", "src");

/**
 * A place is the longest of these that a file's path begins with. `reaches` are places of ours,
 * `uses` are packages. "pure" places may use no part of node but Buffer.
 */
const places: Record<
  string,
  { readonly reaches: readonly string[]; readonly uses: readonly string[] }
> = {
  // Ring 1: pure.
  "errors.ts": { reaches: [], uses: [] },
  "clock.ts": { reaches: [], uses: [] },
  "logger.ts": { reaches: [], uses: [] },
  "protocol.ts": { reaches: ["errors.ts", "store/records.ts"], uses: [] },
  "store/records.ts": { reaches: [], uses: [] },
  // Message code only: bytes to objects and back.
  "rpc/generated/chat.ts": { reaches: [], uses: ["@bufbuild/protobuf"] },
  codec: {
    reaches: ["errors.ts", "rpc/generated/chat.ts"],
    uses: ["@bufbuild/protobuf", "node:buffer"],
  },
  session: {
    reaches: ["codec", "errors.ts", "protocol.ts", "store/records.ts"],
    uses: ["node:buffer"],
  },
  "chat.ts": { reaches: ["codec", "protocol.ts", "session"], uses: [] },
  "client/core": { reaches: ["codec", "errors.ts"], uses: [] },
  // Ring 2: engines behind ports.
  "rpc/generated": { reaches: [], uses: ["@bufbuild/protobuf"] },
  rpc: { reaches: ["rpc/generated"], uses: ["@bufbuild/protobuf", "@grpc/grpc-js"] },
  store: {
    reaches: ["clock.ts", "errors.ts", "logger.ts", "store/records.ts"],
    uses: ["ioredis", "node:crypto", "node:events", "node:fs", "zod"],
  },
  log: {
    reaches: ["clock.ts", "errors.ts", "logger.ts", "protocol.ts", "store", "store/records.ts"],
    uses: [],
  },
  archive: {
    reaches: ["clock.ts", "errors.ts", "logger.ts", "store", "store/records.ts"],
    uses: [
      "@electric-sql/pglite",
      "node:buffer",
      "node:crypto",
      "node:events",
      "node:fs",
      "node:path",
      "node:stream",
      "node:stream/promises",
      "pg",
      "zod",
    ],
  },
  hook: {
    reaches: [
      "clock.ts",
      "errors.ts",
      "logger.ts",
      "protocol.ts",
      "rpc",
      "rpc/generated",
      "session",
      "store",
      "store/records.ts",
    ],
    uses: [],
  },
  adapter: { reaches: ["errors.ts", "rpc", "rpc/generated"], uses: [] },
  handler: {
    reaches: [
      "adapter",
      "clock.ts",
      "errors.ts",
      "log",
      "logger.ts",
      "protocol.ts",
      "rpc",
      "rpc/generated",
      "store",
      "store/records.ts",
    ],
    uses: ["node:crypto"],
  },
  client: {
    reaches: ["client/core", "clock.ts", "codec", "errors.ts"],
    uses: ["node:crypto", "node:net", "node:tls"],
  },
  // Ring 3: edges. The host is a stranger to all of the gateway.
  host: {
    reaches: ["clock.ts", "logger.ts", "rpc", "rpc/generated"],
    uses: ["aedes", "ws", "node:net", "node:http", "node:crypto", "node:events", "node:stream"],
  },
  "gateway.ts": {
    reaches: [
      "adapter",
      "archive",
      "chat.ts",
      "clock.ts",
      "errors.ts",
      "handler",
      "hook",
      "log",
      "logger.ts",
      "protocol.ts",
      "rpc",
      "session",
      "store",
      "store/records.ts",
    ],
    uses: [],
  },
  "config-keys.ts": {
    reaches: ["adapter", "archive", "chat.ts", "handler", "log", "session", "store"],
    uses: ["node:util", "zod"],
  },
  "config.ts": { reaches: ["archive", "config-keys.ts", "session", "store"], uses: [] },
  "version.ts": { reaches: [], uses: ["node:fs", "zod"] },
  "index.ts": {
    reaches: [
      "archive",
      "chat.ts",
      "errors.ts",
      "gateway.ts",
      "hook",
      "logger.ts",
      "protocol.ts",
      "store",
    ],
    uses: [],
  },
  cli: {
    reaches: [
      "archive",
      "chat.ts",
      "client",
      "clock.ts",
      "codec",
      "config.ts",
      "errors.ts",
      "gateway.ts",
      "host",
      "logger.ts",
      "session",
      "store",
      "version.ts",
    ],
    uses: [
      "cli-progress",
      "node:fs",
      "node:readline",
      "node:stream",
      "node:stream/promises",
      "node:util",
      "pino",
    ],
  },
  "main.ts": { reaches: ["cli", "config.ts", "session", "version.ts"], uses: ["node:util"] },
};

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

function placeOf(file: string): string {
  const fitting = Object.keys(places).filter(
    (place) => file === place || file.startsWith(`${place}/`),
  );
  return fitting.sort((a, b) => b.length - a.length)[0] ?? `${file}: no place for it`;
}

interface Import {
  readonly file: string;
  readonly from: string;
  readonly target: string;
}

const imports: readonly Import[] = files.flatMap((file) => {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^(?:import|export)\s[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"/gm)].map(
    ([, from, bare]) => {
      const target = from ?? bare ?? "";
      const ours = target.startsWith(".");
      const path = relative(root, join(root, dirname(file), target)).replace(/\.js$/, ".ts");
      return { file, from: placeOf(file), target: ours ? path : target };
    },
  );
});

function isAllowed({ from, target }: Import): boolean {
  const place = places[from];
  if (place === undefined) return false;
  if (!target.endsWith(".ts")) {
    return place.uses.some((used) => target === used || target.startsWith(`${used}/`));
  }
  const to = placeOf(target);
  return to === from || place.reaches.includes(to);
}

describe("the rings", () => {
  test("every file has its place, every place a file", () => {
    expect([...new Set(files.map(placeOf))].sort()).toEqual(Object.keys(places).sort());
  });

  test("imports point inwards", () => {
    const wrong = imports.filter((one) => !isAllowed(one));
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
    expect(imports.length).toBeGreaterThan(100);
  });

  test("a wrong arrow would be seen", () => {
    expect(isAllowed({ file: "", from: "session", target: "store/redis/keys.ts" })).toBe(false);
    expect(isAllowed({ file: "", from: "host", target: "codec/index.ts" })).toBe(false);
    expect(isAllowed({ file: "", from: "codec", target: "node:net" })).toBe(false);
    expect(isAllowed({ file: "", from: "session", target: "codec/frame.ts" })).toBe(true);
  });

  test("there is no cycle between files", () => {
    const edges = new Map<string, string[]>();
    for (const { file, target } of imports) edges.set(file, [...(edges.get(file) ?? []), target]);
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      expect(path.includes(file) ? [...path, file].join(" -> ") : "").toBe("");
      if (done.has(file)) return;
      done.add(file);
      for (const target of edges.get(file) ?? []) visit(target, [...path, file]);
    };
    for (const file of files) visit(file, []);
  });

  test("nothing pure waits, keeps time or reads the environment", () => {
    const pure = ["codec", "session", "chat.ts", "protocol.ts", "errors.ts", "store/records.ts"];
    const forbidden =
      /\b(async|await|Promise|setTimeout|setInterval|setImmediate|Date\.now|process\.|Math\.random)\b/;
    for (const file of files.filter((one) => pure.includes(placeOf(one)))) {
      const code = readFileSync(join(root, file), "utf8").replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "");
      expect([file, forbidden.exec(code)?.[0]]).toEqual([file, undefined]);
    }
  });
});

test("no file is too long to be read in one go", () => {
  const long = files
    .filter((file) => !file.startsWith("rpc/generated"))
    .map((file) => [file, readFileSync(join(root, file), "utf8").split("\n").length] as const)
    .filter(([, lines]) => lines > 350);
  expect(long).toEqual([]);
});
