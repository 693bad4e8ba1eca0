/**
 * The configuration: the environment, parsed once by the table in config-keys.ts. Only main.ts reads
 * the environment. docs/CONFIGURATION.md is made from the table.
 */
import type { ArchivePlace } from "./archive/index.js";
import { gatewayKeys, hostKeys, isUrl, type Key, type Secret } from "./config-keys.js";
import { createTopics } from "./session/index.js";
import { parseRedisUrl } from "./store/index.js";

export { Secret } from "./config-keys.js";

type Keys = Readonly<Record<string, Key<unknown>>>;
type Values<K extends Keys> = { readonly [N in keyof K]: K[N] extends Key<infer T> ? T : never };

export type GatewayConfig = Values<typeof gatewayKeys>;
export type HostConfig = Values<typeof hostKeys>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** Every fault at once, a line each, with what to do and never the value of a secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(readonly faults: readonly string[]) {
    super(`the configuration can't be used:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
  }
}

/** Throws ConfigError. */
export function parseGatewayConfig(environment: Environment): GatewayConfig {
  const { values, faults } = parseKeys(gatewayKeys, environment);
  if (values !== undefined) faults.push(...crossChecks(values));
  if (values === undefined || faults.length > 0) throw new ConfigError(faults);
  return values;
}

/** Throws ConfigError. */
export function parseHostConfig(environment: Environment): HostConfig {
  const { values, faults } = parseKeys(hostKeys, environment);
  if (values === undefined) throw new ConfigError(faults);
  return values;
}

function parseKeys<K extends Keys>(keys: K, environment: Environment) {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { schema, fallback }] of Object.entries<Key<unknown>>(keys)) {
    const given = environment[name] ?? fallback ?? "";
    if (given === "" && fallback === undefined) {
      values[name] = undefined;
      continue;
    }
    const parsed = schema.safeParse(given);
    if (parsed.success) values[name] = parsed.data;
    else faults.push(`${name}: ${parsed.error.issues[0]?.message ?? "not valid"}`);
  }
  // Every key was parsed by the schema that Values reads its type from.
  return { values: faults.length === 0 ? (values as Values<K>) : undefined, faults };
}

function crossChecks(config: GatewayConfig): readonly string[] {
  const faults: string[] = [];
  try {
    createTopics(toTopicTemplates(config));
  } catch (error) {
    faults.push(
      `ROOM_TOPIC, USER_TOPIC, PRESENCE_TOPIC, HISTORY_TOPIC, REPLY_TOPIC: ${error instanceof Error ? error.message : ""}`,
    );
  }
  if (config.REDIS_URL !== undefined) {
    try {
      parseRedisUrl(config.REDIS_URL.reveal(), config.REDIS_MODE);
    } catch (error) {
      faults.push(`REDIS_URL: ${error instanceof Error ? error.message : ""}`);
    }
  }
  const atMost = (small: keyof GatewayConfig, great: keyof GatewayConfig) => {
    if (Number(config[small]) > Number(config[great])) {
      faults.push(
        `${small} (${Number(config[small])}) must not be over ${great} (${Number(config[great])})`,
      );
    }
  };
  if (config.ARCHIVE !== undefined && config.ROOM_LOG === "off") {
    faults.push("ARCHIVE: needs ROOM_LOG=on, since it is filled from there");
  }
  atMost("MAX_HELLO_BYTES", "MAX_FRAME_BYTES");
  atMost("MAX_FRAME_BYTES", "MAX_BACKLOG_BYTES");
  atMost("MAX_FRAME_BYTES", "RATE_BYTE_BURST");
  atMost("SESSION_EXPIRY_SECONDS", "MAX_SESSION_EXPIRY_SECONDS");
  return faults;
}

export function toArchivePlace(place: Secret): ArchivePlace {
  const value = place.reveal();
  return isUrl(value) ? { url: value } : { directory: value };
}

export function toTopicTemplates(config: GatewayConfig) {
  return {
    room: config.ROOM_TOPIC,
    user: config.USER_TOPIC,
    presence: config.PRESENCE_TOPIC,
    history: config.HISTORY_TOPIC,
    reply: config.REPLY_TOPIC,
  };
}

/** docs/CONFIGURATION.md, whole. */
export function renderConfiguration(): string {
  return `# Configuration

All of it comes from the environment; what is not set has its default. A fault in it is told before
anything is started, every one at once. \`exproto-gateway config\` prints this page.

${renderKeys(gatewayKeys)}

## The host

\`exproto-gateway dev\` (\`npm start\`) reads these too:

${renderKeys(hostKeys)}
`;
}

function renderKeys(keys: Keys): string {
  const rows = Object.entries(keys).map(
    ([name, { fallback, meaning }]) =>
      `| \`${name}\` | ${fallback === undefined ? "" : `\`${fallback}\``} | ${meaning} |`,
  );
  return ["| variable | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}
