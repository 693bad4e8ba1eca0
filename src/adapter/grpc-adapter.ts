/** The adapter port over gRPC: one channel per adapter address, which reconnects by itself. */
import { GatewayError } from "../errors.js";
import { createChannel, type Channel } from "../rpc/client.js";
import { ConnectionAdapterClientImpl, type CodeResponse } from "../rpc/generated/exproto.js";
import type { ConnectionAdapter } from "./adapter.js";
import type { AddressOf } from "./node-address.js";
import { errorOfResult, errorOfRpc, type AdapterCall } from "./result-code.js";

export interface GrpcAdapterOptions {
  readonly addressOf: AddressOf;
  /** For calls that a client waits for; over the 5 s after which EMQX itself gives up. */
  readonly callDeadlineMs?: number;
  /** For calls that wait for an adapter that is away, so that nothing sent is lost. */
  readonly patientDeadlineMs?: number;
}

interface Clients {
  readonly channel: Channel;
  /** Fails at once while the adapter is away. */
  readonly prompt: ConnectionAdapterClientImpl;
  /** Waits for the adapter to come back. */
  readonly patient: ConnectionAdapterClientImpl;
}

/**
 * EMQX's authenticators are looked up by this name: with any other one EMQX 5 lets every password
 * in, and makes an atom of it that it never frees.
 */
const PROTO_NAME = "exproto";
const PROTO_VER = "1";

export function createGrpcAdapter({
  addressOf,
  callDeadlineMs = 7_000,
  patientDeadlineMs = 30_000,
}: GrpcAdapterOptions): ConnectionAdapter {
  const byAddress = new Map<string, Clients>();

  function clientsAt(address: string): Clients {
    const known = byAddress.get(address);
    if (known !== undefined) return known;
    const channel = createChannel(address);
    const clients: Clients = {
      channel,
      prompt: new ConnectionAdapterClientImpl(channel.rpc({ deadlineMs: callDeadlineMs })),
      patient: new ConnectionAdapterClientImpl(
        channel.rpc({ deadlineMs: patientDeadlineMs, waitForReady: true }),
      ),
    };
    byAddress.set(address, clients);
    return clients;
  }

  function clientsFor(conn: string): Clients {
    const address = addressOf(conn);
    if (address === undefined) {
      throw new GatewayError("UNAVAILABLE", "the gateway knows no address for the broker's node", {
        cause: new Error(`ADAPTER_ADDRESS gives no address for connection ${conn}`),
      });
    }
    return clientsAt(address);
  }

  return {
    send: (conn, bytes) => settled("Send", () => clientsFor(conn).patient.Send({ conn, bytes })),
    close: (conn) => settled("Close", () => clientsFor(conn).patient.Close({ conn })),
    startTimer: (conn, interval) =>
      settled("StartTimer", () =>
        clientsFor(conn).patient.StartTimer({ conn, type: "KEEPALIVE", interval }),
      ),
    authenticate: (conn, { clientId, username, password }) =>
      settled("Authenticate", () =>
        clientsFor(conn).prompt.Authenticate({
          conn,
          password,
          clientinfo: {
            protoName: PROTO_NAME,
            protoVer: PROTO_VER,
            clientid: clientId,
            username,
            mountpoint: "",
          },
        }),
      ),
    subscribe: (conn, topic, qos) =>
      settled("Subscribe", () => clientsFor(conn).prompt.Subscribe({ conn, topic, qos })),
    unsubscribe: (conn, topic) =>
      settled("Unsubscribe", () => clientsFor(conn).prompt.Unsubscribe({ conn, topic })),
    publish: (conn, topic, qos, payload) =>
      settled("Publish", () => clientsFor(conn).prompt.Publish({ conn, topic, qos, payload })),
    rawPublish: (topic, qos, payload) =>
      settled("RawPublish", () => anyClients().prompt.RawPublish({ topic, qos, payload })),
    end() {
      for (const { channel } of byAddress.values()) channel.close();
    },
  };

  /** Any node routes to the whole cluster: the one configured, or one that is known. */
  function anyClients(): Clients {
    const [known] = byAddress.values();
    return known ?? clientsFor("");
  }
}

async function settled(call: AdapterCall, run: () => Promise<CodeResponse>): Promise<void> {
  let response: CodeResponse;
  try {
    response = await run();
  } catch (error) {
    throw errorOfRpc(call, error);
  }
  const error = errorOfResult(call, response);
  if (error !== undefined) throw error;
}
