/**
 * The port that knows which rooms the sessions of MQTT clients have subscribed, over all gateways: EMQX
 * tells each subscription once, and gives no list of them. What becomes of a record is not decided
 * here; a writer that has lost a race reads again.
 *
 * Both methods reject with GatewayError UNAVAILABLE while the store can't be reached.
 */
import type { MqttClientRecord } from "./records.js";

export interface MqttClientName {
  readonly protocol: string;
  readonly clientId: string;
}

export interface MqttClientStore {
  read(name: MqttClientName): Promise<MqttClientRecord | undefined>;
  /**
   * Writes `next`, to be kept for `maxAgeSeconds`, or removes the record. False, and nothing is done,
   * when the record is no longer `previous`, which is what `read` gave.
   */
  replace(
    name: MqttClientName,
    previous: MqttClientRecord | undefined,
    next: MqttClientRecord | undefined,
    maxAgeSeconds: number,
  ): Promise<boolean>;
}
