/** The MQTT clients' subscriptions in Redis. Every method is one command or one script. */
import { z } from "zod";
import type { Logger } from "../../logger.js";
import type { MqttClientStore } from "../mqtt-client-store.js";
import type { RedisConnection } from "./connection.js";
import type { Keys } from "./keys.js";
import { formatMqttClient, parseMqttClient } from "./record-format.js";
import { scripts } from "./scripts.js";

export interface RedisMqttClientStoreOptions {
  readonly connection: RedisConnection;
  readonly keys: Keys;
  readonly logger: Logger;
}

export function createRedisMqttClientStore(options: RedisMqttClientStoreOptions): MqttClientStore {
  const { connection, keys, logger } = options;

  return {
    async read(name) {
      const key = keys.mqttClient(name.protocol, name.clientId);
      const text = await connection.command(z.string().nullable(), "get", key);
      if (text === null) return undefined;
      const record = parseMqttClient(text);
      if (record !== undefined) return record;
      logger.warn({ ...name }, "what was kept of an MQTT client can't be read; it is removed");
      await connection.command(z.int(), "del", key);
      return undefined;
    },

    replace: ({ protocol, clientId }, previous, next, maxAgeSeconds) =>
      connection.run(
        scripts.mqttClientReplace,
        [keys.mqttClient(protocol, clientId)],
        [
          previous === undefined ? "" : formatMqttClient(previous),
          next === undefined ? "" : formatMqttClient(next),
          maxAgeSeconds,
        ],
      ),
  };
}
