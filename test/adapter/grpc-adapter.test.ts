import { afterEach, describe, expect, test } from "@jest/globals";
import { createGrpcAdapter, parseAdapterAddress } from "../../src/adapter/index.js";
import { RpcError } from "../../src/rpc/client.js";
import { bind, startRpcServer, type RpcServer } from "../../src/rpc/server.js";
import {
  ConnectionAdapterDefinition,
  type AuthenticateRequest,
  type CodeResponse,
} from "../../src/rpc/generated/exproto.js";

const SUCCESS: CodeResponse = { code: "SUCCESS", message: "" };
/** A conn id of the node emqx@127.0.0.1. */
const CONN = "g1hkAA5lbXF4QDEyNy4wLjAuMQAAAsMAAAAAAAAAAw==";

const servers: RpcServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

type Answer = () => CodeResponse | Promise<CodeResponse>;

/** An adapter service that answers every call alike. */
async function serve(answer: Answer, seen: unknown[] = [], port = 0): Promise<RpcServer> {
  const take = (request: unknown) => {
    seen.push(request);
    return answer();
  };
  const service = bind(ConnectionAdapterDefinition, {
    send: take,
    close: take,
    authenticate: take,
    startTimer: take,
    publish: take,
    subscribe: take,
    unsubscribe: take,
    rawPublish: take,
  });
  const server = await startRpcServer({ host: "127.0.0.1", port, services: [service] });
  servers.push(server);
  return server;
}

const never = () => new Promise<CodeResponse>(() => undefined);

describe("the gRPC adapter", () => {
  test("gives up a call that is not answered in time", async () => {
    const { port } = await serve(never);
    const addressOf = () => `127.0.0.1:${port}`;
    const adapter = createGrpcAdapter({ addressOf, callDeadlineMs: 50, patientDeadlineMs: 50 });
    const away = { code: "UNAVAILABLE", gone: false };
    await expect(adapter.publish(CONN, "t", 0, Buffer.of())).rejects.toMatchObject(away);
    await expect(adapter.send(CONN, Buffer.of(1))).rejects.toMatchObject(away);
    adapter.end();
  });

  test("fails what a client waits for at once while the adapter is away, and sends when it is back", async () => {
    const gone = await serve(() => SUCCESS);
    await gone.close(0);
    servers.pop();
    const adapter = createGrpcAdapter({ addressOf: () => `127.0.0.1:${gone.port}` });
    await expect(adapter.publish(CONN, "t", 0, Buffer.of())).rejects.toMatchObject({
      code: "UNAVAILABLE",
      reason: "the broker is away; try again",
    });
    const sent = adapter.send(CONN, Buffer.from("kept"));
    const seen: unknown[] = [];
    await serve(() => SUCCESS, seen, gone.port);
    await sent;
    expect(seen).toMatchObject([{ conn: CONN }]);
    adapter.end();
  });

  test("never says another protocol than exproto: EMQX would let every password in", async () => {
    const seen: AuthenticateRequest[] = [];
    const { port } = await serve(() => SUCCESS, seen);
    const adapter = createGrpcAdapter({ addressOf: () => `127.0.0.1:${port}` });
    await adapter.authenticate(CONN, { clientId: "c", username: "u", password: "p" });
    expect(seen).toMatchObject([
      { password: "p", clientinfo: { protoName: "exproto", clientid: "c", username: "u" } },
    ]);
    adapter.end();
  });

  test("calls the node that holds the connection", async () => {
    const seen: unknown[] = [];
    const { port } = await serve(() => SUCCESS, seen);
    const adapter = createGrpcAdapter({ addressOf: parseAdapterAddress(`{host}:${port}`) });
    await adapter.close(CONN);
    expect(seen).toEqual([{ conn: CONN }]);
    await expect(adapter.close("not a pid")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    adapter.end();
  });

  describe("publishes for no connection", () => {
    /** Two nodes of a cluster, each called "first" and "second" like its connection. */
    async function cluster() {
      const seen = { first: [] as unknown[], second: [] as unknown[] };
      const first = await serve(() => SUCCESS, seen.first);
      const second = await serve(() => SUCCESS, seen.second);
      const ports = new Map([
        ["first", first.port],
        ["second", second.port],
      ]);
      const adapter = createGrpcAdapter({
        addressOf: (conn) => (ports.has(conn) ? `127.0.0.1:${ports.get(conn)}` : undefined),
      });
      await adapter.close("first");
      await adapter.close("second");
      seen.first.length = seen.second.length = 0;
      return { first, second, seen, adapter };
    }

    test("at the node that answered last", async () => {
      const { seen, adapter } = await cluster();
      await adapter.rawPublish("t1", 0, Buffer.of());
      await adapter.close("first");
      await adapter.rawPublish("t2", 0, Buffer.of());
      expect(seen).toMatchObject({
        first: [{ conn: "first" }, { topic: "t2" }],
        second: [{ topic: "t1" }],
      });
      adapter.end();
    });

    test("at another node when that one is away, once", async () => {
      const { first, second, seen, adapter } = await cluster();
      await adapter.close("first");
      await first.close(0);
      await adapter.rawPublish("t", 0, Buffer.of());
      expect(seen).toMatchObject({ first: [{ conn: "first" }], second: [{ topic: "t" }] });
      await second.close(0);
      await expect(adapter.rawPublish("t", 0, Buffer.of())).rejects.toMatchObject({
        code: "UNAVAILABLE",
      });
      adapter.end();
    });

    test("at the only node configured before any is known, or not at all", async () => {
      const seen: unknown[] = [];
      const { port } = await serve(() => SUCCESS, seen);
      const adapter = createGrpcAdapter({ addressOf: () => `127.0.0.1:${port}` });
      await adapter.rawPublish("t", 0, Buffer.of());
      expect(seen).toMatchObject([{ topic: "t" }]);
      adapter.end();
      const lost = createGrpcAdapter({ addressOf: () => undefined });
      await expect(lost.rawPublish("t", 0, Buffer.of())).rejects.toMatchObject({
        code: "UNAVAILABLE",
      });
    });

    test("and is not said twice where a node refuses it", async () => {
      const seen: unknown[] = [];
      const refuse = () => Promise.resolve({ code: "PERMISSION_DENY", message: "" } as const);
      const nodes = [await serve(refuse, seen), await serve(refuse, seen)];
      const adapter = createGrpcAdapter({
        addressOf: (conn) => `127.0.0.1:${nodes[Number(conn)]?.port}`,
      });
      await expect(adapter.close("0")).rejects.toThrow();
      await expect(adapter.close("1")).rejects.toThrow();
      seen.length = 0;
      await expect(adapter.rawPublish("t", 0, Buffer.of())).rejects.toMatchObject({
        code: "FORBIDDEN",
      });
      expect(seen).toHaveLength(1);
      adapter.end();
    });
  });

  test("says UNSUPPORTED where EMQX has no RawPublish", async () => {
    const { port } = await serve(() => {
      throw new RpcError("UNIMPLEMENTED", "no such method");
    });
    const adapter = createGrpcAdapter({ addressOf: () => `127.0.0.1:${port}` });
    await expect(adapter.rawPublish("t", 0, Buffer.of())).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    adapter.end();
  });

  test("fails what is in flight when it ends", async () => {
    const { port } = await serve(never);
    const adapter = createGrpcAdapter({ addressOf: () => `127.0.0.1:${port}` });
    const sent = adapter.send(CONN, Buffer.of(1));
    const publishing = adapter.publish(CONN, "t", 0, Buffer.of());
    adapter.end();
    await expect(sent).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(publishing).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
