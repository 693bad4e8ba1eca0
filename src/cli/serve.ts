/** `exproto-gateway serve`: the gateway, for a real EMQX. */
import type { GatewayConfig } from "../config.js";
import { createLogger, runGateway, type Running } from "./run-gateway.js";

export async function serve(config: GatewayConfig): Promise<Running> {
  const logger = createLogger(config, 1);
  const gateway = await runGateway(config, logger);
  logger.info(
    {
      handler: `${config.HANDLER_HOST}:${gateway.port}`,
      adapter: config.ADAPTER_ADDRESS,
      hook: `${config.HOOK_HOST}:${gateway.hookPort}`,
      roomLog: config.ROOM_LOG,
      store: config.REDIS_URL === undefined ? "memory" : "redis",
    },
    "ready for EMQX",
  );
  return {
    async close() {
      logger.info(gateway.stats(), "stopping");
      await gateway.close();
      logger.info({}, "stopped");
    },
  };
}
