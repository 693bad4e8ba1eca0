import { connect, type Socket } from "node:net";
import { createGrpcAdapter } from "../../src/adapter/index.js";
import { bind, startRpcServer } from "../../src/rpc/server.js";
import { ConnectionUnaryHandlerDefinition } from "../../src/rpc/generated/exproto.js";
import { createHost } from "../../src/host/index.js";
import { eventually } from "../support/eventually.js";
import { createFakeAdapter } from "../support/fake-adapter.js";
import { adapterContract } from "./adapter.contract.js";

adapterContract("the fake adapter", () => {
  const adapter = createFakeAdapter(() => 0);
  adapter.passwords.set("alice", "secret");
  const written = new Map<string, string>();
  const delivered = new Map<string, string[]>();
  adapter.door = {
    apply(conn, event) {
      if (event.kind !== "messages") return;
      const payloads = event.messages.map(({ payload }) => Buffer.from(payload).toString());
      delivered.set(conn, [...(delivered.get(conn) ?? []), ...payloads]);
    },
  };
  return Promise.resolve({
    adapter,
    connect: () => Promise.resolve(adapter.connect()),
    received(conn) {
      const all = (written.get(conn) ?? "") + Buffer.from(adapter.taken(conn)).toString();
      written.set(conn, all);
      return all;
    },
    delivered: (conn) => delivered.get(conn) ?? [],
    isOpen: (conn) => adapter.isOpen(conn),
    end: () => Promise.resolve(),
  });
});

adapterContract("the gRPC adapter, on the host", async () => {
  const created: string[] = [];
  const delivered = new Map<string, string[]>();
  const handler = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [
      bind(ConnectionUnaryHandlerDefinition, {
        onSocketCreated: ({ conn }) => {
          created.push(conn);
          return {};
        },
        onSocketClosed: () => ({}),
        onReceivedBytes: () => ({}),
        onTimerTimeout: () => ({}),
        onReceivedMessages: ({ conn, messages }) => {
          const payloads = messages.map(({ payload }) => Buffer.from(payload).toString());
          delivered.set(conn, [...(delivered.get(conn) ?? []), ...payloads]);
          return {};
        },
      }),
    ],
  });
  const host = await createHost({
    ports: { chat: 0, adapter: 0, mqtt: 0, ws: 0 },
    users: [{ username: "alice", password: "secret" }],
  });
  host.connectHandler(`127.0.0.1:${handler.port}`);
  const adapter = createGrpcAdapter({ addressOf: () => `127.0.0.1:${host.ports.adapter}` });
  const sockets = new Map<string, { readonly socket: Socket; received: string }>();
  return {
    adapter,
    async connect() {
      const socket = connect(host.ports.chat, "127.0.0.1");
      const conn = await eventually("OnSocketCreated", () =>
        created.find((one) => !sockets.has(one)),
      );
      const client = { socket, received: "" };
      sockets.set(conn, client);
      socket.setEncoding("utf8").on("data", (text: string) => (client.received += text));
      return conn;
    },
    received: (conn) => sockets.get(conn)?.received ?? "",
    delivered: (conn) => delivered.get(conn) ?? [],
    isOpen: (conn) => sockets.get(conn)?.socket.closed === false,
    async end() {
      for (const { socket } of sockets.values()) socket.destroy();
      adapter.end();
      await host.close();
      await handler.close(100);
    },
  };
});
