/** The MQTT clients' subscriptions in this process: for one gateway without Redis, and for tests. */
import type { Clock } from "../../clock.js";
import type { MqttClientName, MqttClientStore } from "../mqtt-client-store.js";
import type { MqttClientRecord } from "../records.js";
import { ExpiringMap } from "./expiring-map.js";

export function createMemoryMqttClientStore({ clock }: { readonly clock: Clock }): MqttClientStore {
  /** Records are never changed in place: one that is the same object is the same. */
  const records = new ExpiringMap<MqttClientRecord>(clock);
  const keyOf = ({ protocol, clientId }: MqttClientName) => JSON.stringify([protocol, clientId]);

  return {
    read: (name) => Promise.resolve(records.get(keyOf(name))),
    replace(name, previous, next, maxAgeSeconds) {
      const key = keyOf(name);
      if (records.get(key) !== previous) return Promise.resolve(false);
      if (next === undefined) records.delete(key);
      else records.set(key, next, maxAgeSeconds * 1000);
      return Promise.resolve(true);
    },
  };
}
