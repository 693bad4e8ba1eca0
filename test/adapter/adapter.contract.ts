/** What every ConnectionAdapter does: the gRPC one on the host, and the fake that tests build on. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { ConnectionAdapter } from "../../src/adapter/index.js";
import { GatewayError, type ErrorCode } from "../../src/errors.js";
import { eventually } from "../support/eventually.js";

export interface AdapterWorld {
  readonly adapter: ConnectionAdapter;
  /** A new client's connection; gives its conn id. */
  connect(): Promise<string>;
  /** What was written to the client. */
  received(conn: string): string;
  /** The payloads that were delivered to the connection. */
  delivered(conn: string): readonly string[];
  isOpen(conn: string): boolean;
  end(): Promise<void>;
}

/** @param start knows the user alice, whose password is "secret". */
export function adapterContract(name: string, start: () => Promise<AdapterWorld>): void {
  describe(name, () => {
    let world: AdapterWorld;
    let adapter: ConnectionAdapter;
    beforeEach(async () => {
      world = await start();
      ({ adapter } = world);
    });
    afterEach(() => world.end());

    const alice = (clientId: string) => ({ clientId, username: "alice", password: "secret" });

    async function client(clientId: string): Promise<string> {
      const conn = await world.connect();
      await adapter.authenticate(conn, alice(clientId));
      return conn;
    }

    async function refusal(call: Promise<void>): Promise<readonly [ErrorCode, boolean]> {
      const error: unknown = await call.then(
        () => undefined,
        (cause: unknown) => cause,
      );
      if (!(error instanceof GatewayError)) throw new Error("it was not refused", { cause: error });
      return [error.code, error.gone];
    }

    test("sends in order, and probes with nothing, before anybody has logged in", async () => {
      const conn = await world.connect();
      await adapter.send(conn, Buffer.from("a"));
      await adapter.send(conn, new Uint8Array());
      await adapter.send(conn, Buffer.from("b"));
      await eventually("ab", () => world.received(conn) === "ab");
    });

    test("closes after what was sent", async () => {
      const conn = await world.connect();
      await adapter.send(conn, Buffer.alloc(200_000, "x"));
      await adapter.close(conn);
      await eventually("it is closed", () => !world.isOpen(conn));
      expect(world.received(conn)).toHaveLength(200_000);
    });

    test("tells who has gone from who was never there", async () => {
      const conn = await world.connect();
      await adapter.close(conn);
      await eventually("it is closed", () => !world.isOpen(conn));
      expect(await refusal(adapter.send(conn, new Uint8Array()))).toEqual(["UNAVAILABLE", true]);
      expect(await refusal(adapter.send("nobody", new Uint8Array()))).toEqual([
        "UNAVAILABLE",
        false,
      ]);
    });

    test("lets nobody in with a wrong password, nor twice", async () => {
      const conn = await world.connect();
      const wrong = { ...alice("a1"), password: "guess" };
      expect(await refusal(adapter.authenticate(conn, wrong))).toEqual(["UNAUTHENTICATED", false]);
      await adapter.authenticate(conn, alice("a1"));
      expect(await refusal(adapter.authenticate(conn, alice("a1")))).toEqual([
        "UNAUTHENTICATED",
        false,
      ]);
    });

    test("refuses what needs a login before there is one", async () => {
      const conn = await world.connect();
      expect(await refusal(adapter.subscribe(conn, "t", 1))).toEqual(["UNAVAILABLE", false]);
      expect(await refusal(adapter.unsubscribe(conn, "t"))).toEqual(["UNAVAILABLE", false]);
      expect(await refusal(adapter.publish(conn, "t", 1, Buffer.from("x")))).toEqual([
        "UNAVAILABLE",
        false,
      ]);
      await adapter.startTimer(conn, 60);
    });

    test("takes no timer of 0 seconds", async () => {
      const conn = await world.connect();
      expect(await refusal(adapter.startTimer(conn, 0))).toEqual(["INTERNAL", false]);
    });

    test("delivers what was subscribed to, to the publisher too, until it is unsubscribed", async () => {
      const [one, other] = [await client("a1"), await client("a2")];
      await adapter.subscribe(one, "t", 1);
      await adapter.subscribe(one, "t", 0);
      await adapter.subscribe(other, "t", 1);
      await adapter.publish(one, "t", 1, Buffer.from("1"));
      await adapter.rawPublish("t", 0, Buffer.from("2"));
      await eventually("both", () => world.delivered(one).join() === "1,2");
      await eventually("both", () => world.delivered(other).join() === "1,2");
      await adapter.unsubscribe(one, "t");
      await adapter.publish(one, "t", 1, Buffer.from("3"));
      await eventually("the third", () => world.delivered(other).join() === "1,2,3");
      expect(world.delivered(one)).toEqual(["1", "2"]);
    });

    test("closes the older connection of a client id", async () => {
      const old = await client("a1");
      const fresh = await client("a1");
      await eventually("the old one is closed", () => !world.isOpen(old));
      expect(world.isOpen(fresh)).toBe(true);
      expect(await refusal(adapter.send(old, new Uint8Array()))).toEqual(["UNAVAILABLE", true]);
    });

    test.each([
      ["a publish to a wildcard", (conn: string) => adapter.publish(conn, "a/#", 0, Buffer.of())],
      ["a shared subscription", (conn: string) => adapter.subscribe(conn, "$share/g/t", 1)],
    ])("loses the connection by %s", async (_, call) => {
      const conn = await client("a1");
      expect(await refusal(call(conn))).toEqual(["UNAVAILABLE", false]);
      await eventually("it is closed", () => !world.isOpen(conn));
    });
  });
}
