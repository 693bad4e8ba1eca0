/** What the documents promise: every clause's test is there, every table is as the code has it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parseDocument } from "yaml";
import { errorCodes } from "../src/errors.js";
import { rules } from "../src/session/index.js";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("docs/PROTOCOL.md", () => {
  const page = read("docs/PROTOCOL.md");

  test("names a test that is there with every clause", () => {
    const references = [...page.matchAll(/_\(([^]+?)\)_/g)].flatMap(([, text = ""]) =>
      text.replace(/\s+/g, " ").split("; "),
    );
    expect(references.length).toBeGreaterThan(25);
    for (const reference of references) {
      const [file = "", titles = ""] = reference.split(/: (.*)/);
      const path = join(root, "test", `${file}.test.ts`);
      expect([reference, existsSync(path)]).toEqual([reference, true]);
      const source = readFileSync(path, "utf8");
      for (const [, title = ""] of titles.matchAll(/"([^"]+)"/g)) {
        // One title of a table may be one of its rows.
        const found = source.includes(title) || source.includes(title.replace(/ \S+$/, " %s"));
        expect([reference, title, found]).toEqual([reference, title, true]);
      }
    }
  });

  test("lists the codes as the table has them", () => {
    const closes = { always: "yes", never: "no", both: "before `welcome`, or when it persists" };
    const rows = Object.entries(errorCodes).map(
      ([code, info]) =>
        `| \`${code}\` | ${info.meaning} | ${info.blame} | ${closes[info.closes]} | ${
          info.reconnect ? (info.retryAfterMs > 0 ? `after ${info.retryAfterMs} ms` : "yes") : "no"
        } |`,
    );
    const shown = page.replace(/ +/g, " ");
    for (const row of rows) expect(shown).toContain(row);
  });

  test("says of every command what it may", () => {
    for (const command of Object.keys(rules)) expect(page).toContain(`\`${command}\``);
  });
});

describe("the packaging", () => {
  test("compose.yaml is sound, and its gateway is built here", () => {
    const document = parseDocument(read("compose.yaml"));
    expect(document.errors).toEqual([]);
    const { services } = document.toJS() as {
      services: Record<string, { build?: string; image?: string; environment?: object }>;
    };
    expect(Object.keys(services)).toEqual(["emqx", "redis", "gateway"]);
    expect(services.gateway).toMatchObject({
      build: ".",
      environment: { ADAPTER_ADDRESS: "emqx:9100", REDIS_URL: "redis://redis:6379" },
    });
  });

  test("the Dockerfile copies what exists, and does not run as root", () => {
    const lines = read("Dockerfile").split("\n");
    const copied = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
      .flatMap((line) => line.split(" ").slice(1, -1));
    expect(copied.length).toBeGreaterThan(5);
    const ignored = read(".dockerignore");
    for (const path of copied) {
      expect([path, existsSync(join(root, path))]).toEqual([path, true]);
      expect(ignored).toContain(`!${path.replace("./", "")}`);
    }
    expect(lines).toContain("USER node");
  });

  test("emqx.conf has balanced braces and the ports of the defaults", () => {
    const conf = read("emqx.conf").replace(/#.*$/gm, "");
    let depth = 0;
    for (const character of conf.replace(/\$\{[^}]*\}/g, "")) {
      if (character === "{") depth += 1;
      if (character === "}") depth -= 1;
      expect(depth).toBeGreaterThanOrEqual(0);
    }
    expect(depth).toBe(0);
    for (const port of [7993, 9100, 9001, 1883, 8083]) expect(conf).toContain(`:${port}"`);
    expect(conf).toContain('service_name = "ConnectionUnaryHandler"');
  });
});

test("every relative link in a document leads somewhere", () => {
  const pages = [
    ...readdirSync(root).filter((name) => name.endsWith(".md")),
    ...readdirSync(join(root, "docs")).map((name) => join("docs", name)),
  ];
  for (const page of pages) {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue;
      const path = join(root, page, "..", target);
      expect([page, target, existsSync(path)]).toEqual([page, target, true]);
    }
  }
});
