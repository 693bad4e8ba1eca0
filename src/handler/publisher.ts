/**
 * Publishes for one client. On a topic that has a log a publish is announced to the log first, so
 * that its entry can be told, and a second attempt under the same key finds the first.
 */
import type { ConnectionAdapter } from "../adapter/adapter.js";
import type { Outbox } from "../adapter/outbox.js";
import { GatewayError } from "../errors.js";
import type { RoomLogs } from "../log/index.js";
import type { Call, Link, Published } from "../protocol.js";
import type { Publication } from "../store/room-log.js";
import type { Publications } from "./publications.js";

export interface Publisher {
  /** Once EMQX has accepted who it is. */
  client: { readonly clientId: string; readonly username: string };
  publish(call: Extract<Call, { name: "publish" }>): Promise<Published | undefined>;
}

export interface PublisherOptions {
  readonly adapter: ConnectionAdapter;
  readonly log: RoomLogs | undefined;
  readonly publications: Publications;
}

export function createPublisher(
  { adapter, log, publications }: PublisherOptions,
  { conn, instance }: Link,
  outbox: Outbox,
): Publisher {
  let count = 0;

  async function publish(
    { topic, qos, payload, key }: Extract<Call, { name: "publish" }>,
    { clientId, username }: Publisher["client"],
  ): Promise<Published | undefined> {
    const send = async () => {
      publications.note(clientId, username, topic, payload);
      await outbox.call(() => adapter.publish(conn, topic, qos, payload));
    };
    if (log?.keeps(topic) !== true) {
      await send();
      return undefined;
    }
    count += 1;
    const publication = {
      from: clientId,
      username,
      // A client's key is its user's; one that names none is never tried again.
      key: key === "" ? `${instance}/${count}` : `${username}/${key}`,
      payload,
    };
    try {
      const earlier = await log.announce(topic, publication);
      if (earlier !== undefined) return earlier;
    } catch (error) {
      if (qos > 0 || key !== "") throw error;
      // At most once is what qos 0 asks for, and no more.
      await send();
      return undefined;
    }
    await send();
    const settled = await settle(log, topic, publication, qos);
    if (settled === undefined && qos > 0) {
      throw new GatewayError(
        "UNAVAILABLE",
        "the broker took the message, but it is not in the room log (is EMQX's ExHook set up?); say it again with the same key",
      );
    }
    return settled;
  }

  /** At qos 0 the log was not promised, and the message is on its way. */
  async function settle(
    kept: RoomLogs,
    topic: string,
    publication: Publication,
    qos: number,
  ): Promise<Published | undefined> {
    try {
      return await kept.settle(topic, publication);
    } catch (error) {
      if (qos > 0) throw error;
      return undefined;
    }
  }

  return {
    client: { clientId: "", username: "" },
    publish(call) {
      return publish(call, this.client);
    },
  };
}
