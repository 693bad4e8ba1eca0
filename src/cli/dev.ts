/** `exproto-gateway dev`: gateway and host in one process, to try things out. */
import type { GatewayConfig, HostConfig } from "../config.js";
import { createHost } from "../host/index.js";
import { createLogger, runGateway, type Running } from "./run-gateway.js";

/** @param print takes what is meant for the person at the terminal; the log goes to stderr. */
export async function dev(
  config: GatewayConfig,
  hostConfig: HostConfig,
  print: (line: string) => void,
): Promise<Running> {
  const logger = createLogger(config, 2);
  const host = await createHost({
    host: hostConfig.CHAT_HOST,
    ports: {
      chat: hostConfig.CHAT_PORT,
      adapter: hostConfig.ADAPTER_PORT,
      mqtt: hostConfig.MQTT_PORT,
      ws: hostConfig.WS_PORT,
    },
    service: hostConfig.HANDLER_SERVICE,
    ...(hostConfig.EXHOOK_GENERATION !== "off" && {
      hook: { generation: hostConfig.EXHOOK_GENERATION },
    }),
    users: hostConfig.USERS?.map(({ username, password }) => ({
      username,
      password: password.reveal(),
    })),
    logger,
  });
  const gateway = await runGateway(config, logger, `127.0.0.1:${host.ports.adapter}`).catch(
    async (error: unknown) => {
      await host.close();
      throw error;
    },
  );
  host.connectHandler(`127.0.0.1:${gateway.port}`);
  if (hostConfig.EXHOOK_GENERATION !== "off" && gateway.hookPort !== undefined) {
    await host.connectHook(`127.0.0.1:${gateway.hookPort}`);
  }
  for (const line of welcome(hostConfig.CHAT_HOST, host.ports, config)) print(line);
  return {
    async close() {
      await gateway.close();
      await host.close();
    },
  };
}

function welcome(
  address: string,
  ports: { readonly chat: number; readonly mqtt: number; readonly ws: number },
  config: GatewayConfig,
): readonly string[] {
  const room = config.ROOM_TOPIC.replace("{room}", "lobby");
  return [
    "exproto-gateway dev: up",
    "",
    `  chat over TCP         ${address}:${ports.chat}`,
    `  MQTT                  ${address}:${ports.mqtt}`,
    `  MQTT over WebSocket   ws://${address}:${ports.ws}/mqtt`,
    `  store                 ${config.REDIS_URL === undefined ? "memory" : "Redis"}`,
    "",
    "Try, each in a terminal of its own:",
    "",
    `  nc ${address} ${ports.chat}        then type: /login alice, /join lobby, hello`,
    `  mosquitto_sub -p ${ports.mqtt} -t '${room}' -v`,
    `  mosquitto_pub -p ${ports.mqtt} -t '${room}' -m 'hi from MQTT'`,
    "",
    "Ctrl-C stops it.",
  ];
}
