/** The adapter port over gRPC: one channel per adapter address, which reconnects by itself. */
import { GatewayError } from "../errors.js";
import { createChannel, RpcError, type Channel } from "../rpc/client.js";
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

type Run = (clients: Clients) => Promise<CodeResponse>;

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
  let lastAnswered: Clients | undefined;

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

  /** Makes the call to the node that holds the connection. */
  async function call(name: AdapterCall, conn: string, run: Run): Promise<void> {
    await settled(name, () => ask(clientsFor(conn), run));
  }

  async function ask(clients: Clients, run: Run): Promise<CodeResponse> {
    const response = await run(clients);
    lastAnswered = clients;
    return response;
  }

  /**
   * Any node routes to the whole cluster: the one that answered last is asked first, then, where
   * it is away, the others. With none known yet it is the one configured.
   */
  async function askAny(run: Run): Promise<CodeResponse> {
    if (byAddress.size === 0) return ask(clientsFor(""), run);
    const known = [...byAddress.values()];
    let failure = new RpcError("UNAVAILABLE", "no node was asked");
    for (const clients of new Set(lastAnswered === undefined ? known : [lastAnswered, ...known])) {
      try {
        return await ask(clients, run);
      } catch (error) {
        if (!(error instanceof RpcError) || error.status !== "UNAVAILABLE") throw error;
        failure = error;
      }
    }
    throw failure;
  }

  return {
    send: (conn, bytes) => call("Send", conn, ({ patient }) => patient.Send({ conn, bytes })),
    close: (conn) => call("Close", conn, ({ patient }) => patient.Close({ conn })),
    startTimer: (conn, interval) =>
      call("StartTimer", conn, ({ patient }) =>
        patient.StartTimer({ conn, type: "KEEPALIVE", interval }),
      ),
    authenticate: (conn, { clientId, username, password }) =>
      call("Authenticate", conn, ({ prompt }) =>
        prompt.Authenticate({
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
      call("Subscribe", conn, ({ prompt }) => prompt.Subscribe({ conn, topic, qos })),
    unsubscribe: (conn, topic) =>
      call("Unsubscribe", conn, ({ prompt }) => prompt.Unsubscribe({ conn, topic })),
    publish: (conn, topic, qos, payload) =>
      call("Publish", conn, ({ prompt }) => prompt.Publish({ conn, topic, qos, payload })),
    rawPublish: (topic, qos, payload) =>
      settled("RawPublish", () =>
        askAny(({ prompt }) => prompt.RawPublish({ topic, qos, payload })),
      ),
    end() {
      for (const { channel } of byAddress.values()) channel.close();
    },
  };
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
