#!/usr/bin/env node
/** The command line. The only place that reads the environment and ends the process. */
import { parseArgs } from "node:util";
import { dev } from "./cli/dev.js";
import { serve } from "./cli/serve.js";
import type { Running } from "./cli/run-gateway.js";
import { ConfigError, parseGatewayConfig, parseHostConfig, renderConfiguration } from "./config.js";
import { SERVER } from "./version.js";

const usage = `usage: exproto-gateway <command>

  serve    the gateway, for a real EMQX
  dev      the gateway and a host that plays EMQX's part, all in one process
  config   the environment variables that both read
  version  what this is

`;

async function run(command: string | undefined): Promise<Running | undefined> {
  const { env, stdout } = process;
  switch (command) {
    case "serve":
      return serve(parseGatewayConfig(env));
    case "dev":
      return dev(parseGatewayConfig({ LOG_LEVEL: "warn", ...env }), parseHostConfig(env), (line) =>
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

class UsageError extends Error {}

/** What went wrong, in words for whoever typed the command. */
function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${usage}`;
  if (error instanceof ConfigError) return `${error.message}\n`;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `there are no options\n\n${usage}`;
  if (code === "EADDRINUSE" || message.includes("EADDRINUSE")) {
    return `${message}\nA port is taken: stop what uses it, or choose others (exproto-gateway config).\n`;
  }
  return `${error instanceof Error ? (error.stack ?? message) : String(error)}\n`;
}

async function main(): Promise<void> {
  try {
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
