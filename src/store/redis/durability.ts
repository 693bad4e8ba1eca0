/** Learns whether the server has every write on its disk before it answers. */
import type { Redis } from "ioredis";
import { z } from "zod";

const setting = z.tuple([z.string(), z.string()]);

/**
 * The answer gives "<run id> 1" when it has (appendonly yes, appendfsync always), "<run id> 0" when it has
 * not, and "" while that is not known, such as where CONFIG is refused. It is asked whenever a connection
 * is made; the run id tells which start of the server it holds for.
 */
export function watchDurability(redis: Redis): () => string {
  let connections = 0;
  let told = "";

  async function learn(): Promise<void> {
    connections += 1;
    const connection = connections;
    told = "";
    // Sent at once, so all on the connection that is there now.
    const [info, appendonly, appendfsync] = await Promise.all([
      redis.info("server"),
      redis.call("config", "get", "appendonly"),
      redis.call("config", "get", "appendfsync"),
    ]);
    const run = /^run_id:(\w+)/m.exec(info)?.[1];
    if (connection !== connections || run === undefined) return;
    const isDurable =
      setting.parse(appendonly)[1] === "yes" && setting.parse(appendfsync)[1] === "always";
    told = `${run} ${isDurable ? 1 : 0}`;
  }

  // Not being told is no failure: it counts as not durable.
  redis.on("ready", () => void learn().catch(() => undefined));
  return () => told;
}
