/** The host as a process of its own, as it was built. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { HostOptions } from "../../src/host/index.js";
import { eventually } from "./eventually.js";

export interface HostProcess {
  readonly pid: number;
  /** Waits until it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

const built = pathToFileURL(join(import.meta.dirname, "..", "..", "dist", "host", "index.js"));

const script = `
  import { createHost } from ${JSON.stringify(built.href)};
  await createHost(JSON.parse(process.env.HOST_OPTIONS));
  console.log("the host is ready");
`;

/** Only what can be told as JSON. */
export type HostProcessOptions = Pick<
  HostOptions,
  "ports" | "handlerAddress" | "service" | "hook" | "flushDelayMs"
>;

export async function startHostProcess(options: HostProcessOptions): Promise<HostProcess> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    env: { HOST_OPTIONS: JSON.stringify(options) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-4_000)));
  }
  await eventually("the host is ready", () => {
    if (child.exitCode !== null) throw new Error(`the host ended at once:\n${log}`);
    return log.includes("the host is ready");
  });
  return {
    pid: child.pid ?? 0,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
  };
}
