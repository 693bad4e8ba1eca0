/**
 * ConnectionAdapter, with EMQX 5.8's own answers, word for word. Almost everything is answered with
 * gRPC status OK and a result code; what EMQX itself crashes at ends with INTERNAL.
 */
import { bind, type BoundService } from "../rpc/server.js";
import { RpcError } from "../rpc/client.js";
import {
  ConnectionAdapterDefinition,
  type AuthenticateRequest,
  type CodeResponse,
} from "../rpc/generated/exproto.js";
import type { Broker } from "./broker/broker.js";
import { hasWildcard } from "./broker/topic-filter.js";
import type { Connection } from "./connection.js";

export interface Connections {
  find(conn: string): Connection | undefined;
  /** Whether `conn` was a connection of this node. */
  wasThere(conn: string): boolean;
  /** Closes whoever has the client id, and gives it to `connection`. */
  register(connection: Connection, clientId: string): void;
}

const SUCCESS: CodeResponse = { code: "SUCCESS", message: "" };
const UNEXPECTED_CALL: CodeResponse = { code: "UNKNOWN", message: "{error,unexpected_call}" };
const BAD_PARAMS: CodeResponse = { code: "UNKNOWN", message: "{error,'PARAMS_TYPE_ERROR'}" };
const CRASHED: CodeResponse = {
  code: "UNKNOWN",
  message: "{error,'UNKNOWN',<<\"Unknown crashes\">>}",
};
const NOT_ALIVE: CodeResponse = {
  code: "CONN_PROCESS_NOT_ALIVE",
  message: '<<"Connection process is not alive">>',
};

function denied(message: string): CodeResponse {
  return { code: "PERMISSION_DENY", message };
}

const AUTHORIZATION_DENIED = denied('<<"Authorization deny">>');

/** EMQX finds its authenticators by this name; with another one it asks none of them. */
const GATEWAY_PROTOCOL = "exproto";
const MAX_QOS = 2;

export function createAdapterService(broker: Broker, connections: Connections): BoundService {
  /** Runs `run` on the connection, as its process would. */
  async function on(
    conn: string,
    run: (connection: Connection) => CodeResponse | Promise<CodeResponse>,
  ): Promise<CodeResponse> {
    const connection = connections.find(conn);
    if (connection === undefined) return connections.wasThere(conn) ? NOT_ALIVE : CRASHED;
    if (!(await connection.isFree())) return CRASHED;
    return connection.isOpen ? run(connection) : NOT_ALIVE;
  }

  function authenticate(connection: Connection, request: AuthenticateRequest): CodeResponse {
    const { clientinfo, password } = request;
    if (clientinfo === undefined) throw new RpcError("INTERNAL", "RPC Execution Crashed");
    if (connection.client !== undefined) return denied('<<"Duplicated authenticate command">>');
    const { protoName, clientid, username } = clientinfo;
    if (protoName === GATEWAY_PROTOCOL || protoName === "") {
      const verdict = broker.authenticate({ username, password });
      if (verdict !== "ok") return denied(verdict);
    }
    connections.register(connection, clientid);
    connection.authenticated({ clientId: clientid, username });
    return SUCCESS;
  }

  /** What EMQX's connection process does not survive. */
  function crash(connection: Connection): CodeResponse {
    connection.close("{shutdown,{error,badarg}}");
    return CRASHED;
  }

  return bind(ConnectionAdapterDefinition, {
    send: ({ conn, bytes }) =>
      on(conn, (connection) => {
        connection.write(bytes);
        return SUCCESS;
      }),
    close: ({ conn }) =>
      on(conn, (connection) => {
        connection.close("{shutdown,normal}");
        return SUCCESS;
      }),
    authenticate: (request) => on(request.conn, (connection) => authenticate(connection, request)),
    startTimer: ({ conn, interval }) =>
      on(conn, (connection) => {
        if (interval < 1) return BAD_PARAMS;
        connection.startKeepalive(interval);
        return SUCCESS;
      }),
    publish: ({ conn, topic, qos, payload }) =>
      on(conn, async (connection) => {
        const { client } = connection;
        if (qos > MAX_QOS) return BAD_PARAMS;
        if (client === undefined) return UNEXPECTED_CALL;
        if (hasWildcard(topic)) return crash(connection);
        if (!broker.authorize(client, "publish", topic)) return AUTHORIZATION_DENIED;
        await broker.publish(client.clientId, topic, qos, payload);
        return SUCCESS;
      }),
    subscribe: ({ conn, topic, qos }) =>
      on(conn, (connection) => {
        const { client } = connection;
        if (qos > MAX_QOS) return BAD_PARAMS;
        if (client === undefined) return UNEXPECTED_CALL;
        if (/^\$(share|queue)\//.test(topic)) return crash(connection);
        if (!broker.authorize(client, "subscribe", topic)) return AUTHORIZATION_DENIED;
        broker.subscribe(connection, topic);
        return SUCCESS;
      }),
    unsubscribe: ({ conn, topic }) =>
      on(conn, (connection) => {
        if (connection.client === undefined) return UNEXPECTED_CALL;
        broker.unsubscribe(connection, topic);
        return SUCCESS;
      }),
    async rawPublish({ topic, qos, payload }) {
      if (qos > MAX_QOS) throw new RpcError("INTERNAL", "RPC Execution Crashed");
      await broker.publish(GATEWAY_PROTOCOL, topic, qos, payload);
      return SUCCESS;
    },
  });
}
