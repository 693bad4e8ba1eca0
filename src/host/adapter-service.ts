/** EMQX's ConnectionAdapter: finds the connection that a call is for, and checks the parameters. */
import { RpcError } from "../rpc/client.js";
import {
  ConnectionAdapterDefinition,
  TimerRequest,
  type CodeResponse,
} from "../rpc/generated/exproto.js";
import { bind, type BoundService } from "../rpc/server.js";
import { answers } from "./answers.js";
import { isQos, type Broker } from "./broker/broker.js";
import type { ConnIds } from "./conn-id.js";
import type { Connection } from "./connection.js";
import type { ConnectionTable } from "./connection-table.js";

/** Who a message is from that no connection has published. */
const RAW_PUBLISHER = "exproto";

export function createAdapterService(
  connections: ConnectionTable<Connection>,
  ids: ConnIds,
  broker: Broker,
): BoundService {
  function call(
    conn: string,
    task: (connection: Connection) => CodeResponse | Promise<CodeResponse>,
  ): CodeResponse | Promise<CodeResponse> {
    const connection = connections.get(conn);
    if (connection !== undefined) return connection.call(() => task(connection));
    return ids.isOurs(conn) ? answers.notAlive : answers.crashed;
  }

  return bind(definition, {
    send: ({ conn, bytes }) => call(conn, (connection) => connection.send(bytes)),
    close: ({ conn }) => call(conn, (connection) => connection.close()),
    authenticate({ conn, clientinfo, password }) {
      if (clientinfo === undefined) throw crashed();
      return call(conn, (connection) => connection.authenticate(clientinfo, password));
    },
    startTimer({ conn, interval }) {
      if (interval === 0) return answers.badParameter;
      return call(conn, (connection) => connection.startTimer(interval));
    },
    publish({ conn, topic, qos, payload }) {
      if (!isQos(qos)) return answers.badParameter;
      return call(conn, (connection) => connection.publish(topic, qos, payload));
    },
    subscribe({ conn, topic, qos }) {
      if (!isQos(qos)) return answers.badParameter;
      return call(conn, (connection) => connection.subscribe(topic, qos));
    },
    unsubscribe: ({ conn, topic }) => call(conn, (connection) => connection.unsubscribe(topic)),
    async rawPublish({ topic, qos, payload }) {
      if (!isQos(qos)) throw crashed();
      await broker.publish({ topic, qos, payload, from: RAW_PUBLISHER });
      return answers.success;
    },
  });
}

function crashed(): RpcError {
  return new RpcError("INTERNAL", "RPC Execution Crashed");
}

/** EMQX answers an unknown timer type like an interval of 0; the generated decoder throws. */
const definition = {
  ...ConnectionAdapterDefinition,
  methods: {
    ...ConnectionAdapterDefinition.methods,
    startTimer: {
      ...ConnectionAdapterDefinition.methods.startTimer,
      requestType: {
        encode: (message: TimerRequest) => TimerRequest.encode(message),
        decode(input: Uint8Array): TimerRequest {
          try {
            return TimerRequest.decode(input);
          } catch {
            return { conn: "", type: "KEEPALIVE", interval: 0 };
          }
        },
      },
    },
  },
} as const;
