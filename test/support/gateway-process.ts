/** `exproto-gateway serve` as a process of its own, as it was built. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { eventually } from "./eventually.js";

export interface GatewayProcess {
  /** Where it takes EMQX's calls. */
  readonly port: number;
  /** Where it takes ExHook's calls. */
  readonly hookPort: number;
  /** All it has logged. */
  readonly log: string;
  readonly pid: number;
  /** Waits until it has ended, and gives its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const main = join(import.meta.dirname, "..", "..", "dist", "main.js");

export async function startGatewayProcess(
  environment: Readonly<Record<string, string>>,
): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [main, "serve"], {
    env: { HANDLER_PORT: "0", HOOK_PORT: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (log += text));
  }
  const port = await eventually("the gateway is ready", () => {
    if (child.exitCode !== null) throw new Error(`the gateway ended at once:\n${log}`);
    return /"handler":"[^"]*:(\d+)"/.exec(log)?.[1];
  });
  return {
    port: Number(port),
    hookPort: Number(/"hook":"[^"]*:(\d+)"/.exec(log)?.[1]),
    get log() {
      return log;
    },
    pid: child.pid ?? 0,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.kill(signal);
        await exited;
      }
      return child.exitCode;
    },
  };
}
