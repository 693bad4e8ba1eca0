#!/usr/bin/env node
/** The command line. The only place that reads the environment and ends the process. */
import { parseArgs } from "node:util";
import { exportArchive } from "./cli/archive.js";
import { chat } from "./cli/chat.js";
import { dev } from "./cli/dev.js";
import { serve } from "./cli/serve.js";
import type { Running } from "./cli/run-gateway.js";
import {
  ConfigError,
  parseGatewayConfig,
  parseHostConfig,
  renderConfiguration,
  toArchivePlace,
  toTopicTemplates,
} from "./config.js";
import { createTopics, isRoomName } from "./session/index.js";
import { SERVER } from "./version.js";

const usage = `usage: exproto-gateway <command>

  serve    the gateway, for a real EMQX
  dev      the gateway and a host that plays EMQX's part, all in one process
  chat     a chat client for the terminal; chat --help tells its options
  archive export <room or topic> [--output <file>]
           a room's messages from the archive, as NDJSON
  config   the environment variables that both read
  version  what this is

`;

async function run(command: string | undefined): Promise<Running | undefined> {
  const { env, stdout } = process;
  switch (command) {
    case "serve":
      return serve(parseGatewayConfig(env));
    case "dev":
      return dev(parseGatewayConfig(withDevDefaults(env)), parseHostConfig(env), (line) =>
        stdout.write(`${line}\n`),
      );
    case "config":
      stdout.write(renderConfiguration());
      return undefined;
    case "version":
      stdout.write(`${SERVER}\n`);
      return undefined;
    case "help":
    case undefined:
      stdout.write(usage);
      return undefined;
    default:
      throw new UsageError(`there is no command "${command}"`);
  }
}

/** A client, until it is left; gives the exit code. */
function runChat(args: readonly string[]): Promise<number> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  process.on("SIGINT", leave);
  process.on("SIGTERM", leave);
  const { stdin, stdout, stderr, env } = process;
  return chat(args, {
    input: stdin,
    output: stdout,
    errors: stderr,
    env,
    signal: leaving.signal,
  });
}

async function runArchive(args: readonly string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    strict: true,
    options: { output: { type: "string", short: "o" } },
  });
  const [action, target, ...more] = positionals;
  if (action !== "export" || target === undefined || more.length > 0) {
    throw new UsageError("archive export takes a room or a topic");
  }
  const config = parseGatewayConfig(withDevDefaults(process.env));
  const topics = createTopics(toTopicTemplates(config));
  const { stdout, stderr } = process;
  if (config.ARCHIVE === undefined) throw new UsageError("ARCHIVE tells where the archive is");
  return exportArchive({
    place: toArchivePlace(config.ARCHIVE),
    target,
    topicOf(room) {
      if (!isRoomName(room)) throw new UsageError(`"${room}" is neither a room nor a topic`);
      return topics.room(room);
    },
    ...(values.output !== undefined && { file: values.output }),
    stdout,
    stderr,
  });
}

/** What `npm start` keeps, `archive export` finds. */
function withDevDefaults(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { LOG_LEVEL: "warn", ARCHIVE: "data/archive", ...env };
}

class UsageError extends Error {}

/** What went wrong, in words for whoever typed the command. */
function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${usage}`;
  if (error instanceof ConfigError) return `${error.message}\n`;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith("ERR_PARSE_ARGS") === true) return `${message}\n\n${usage}`;
  if (code === "EADDRINUSE" || message.includes("EADDRINUSE")) {
    return `${message}\nA port is taken: stop what uses it, or choose others (exproto-gateway config).\n`;
  }
  return `${error instanceof Error ? (error.stack ?? message) : String(error)}\n`;
}

async function main(): Promise<void> {
  try {
    const [command = "", ...args] = process.argv.slice(2);
    // Those that end by themselves.
    if (command === "chat") return process.exit(await runChat(args));
    if (command === "archive") return process.exit(await runArchive(args));
    const { positionals } = parseArgs({ allowPositionals: true, strict: true });
    if (positionals.length > 1) throw new UsageError("one command at a time");
    const running = await run(positionals[0]);
    if (running === undefined) return;
    let stopping = false;
    const stop = () => {
      // Whoever asks twice does not want to wait.
      if (stopping) process.exit(1);
      stopping = true;
      running.close().then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(explain(error));
          process.exit(1);
        },
      );
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  } catch (error) {
    process.stderr.write(explain(error));
    process.exit(1);
  }
}

await main();
