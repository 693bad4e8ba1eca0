import { beforeEach, describe, expect, test } from "@jest/globals";
import { createOutbox, type Outbox } from "../../src/adapter/index.js";
import { GatewayError } from "../../src/errors.js";
import { createFakeAdapter, type FakeAdapter } from "../support/fake-adapter.js";
import { settled } from "../support/fake-clock.js";

let adapter: FakeAdapter;
let outbox: Outbox;
let conn: string;
let failures: GatewayError[];

beforeEach(() => {
  adapter = createFakeAdapter(() => 0);
  conn = adapter.connect();
  failures = [];
  outbox = createOutbox(conn, adapter, {
    onSent: () => undefined,
    onSendFailed: (error) => failures.push(error),
  });
});

const bytes = (text: string) => Buffer.from(text);

describe("an outbox", () => {
  test("has one call in flight, and keeps the order", async () => {
    let inFlight = 0;
    let most = 0;
    const order: number[] = [];
    const call = (n: number) => async () => {
      most = Math.max(most, ++inFlight);
      await settled();
      order.push(n);
      inFlight -= 1;
    };
    await Promise.all([1, 2, 3].map((n) => outbox.call(call(n))));
    expect({ most, order }).toEqual({ most: 1, order: [1, 2, 3] });
  });

  test("gathers what is sent meanwhile, but never across a call", async () => {
    outbox.send(bytes("a"));
    outbox.send(bytes("b"));
    outbox.send(bytes("c"));
    const closing = outbox.call(() => adapter.startTimer(conn, 1));
    outbox.send(bytes("d"));
    outbox.send(bytes("e"));
    await closing;
    await settled();
    expect(adapter.calls).toEqual([
      `send ${conn}`,
      `send ${conn}`,
      `startTimer ${conn}`,
      `send ${conn}`,
    ]);
    expect(Buffer.from(adapter.taken(conn)).toString()).toBe("abcde");
  });

  test("gathers no more than a MiB into one Send", async () => {
    for (let i = 0; i < 5; i += 1) outbox.send(Buffer.alloc(400_000));
    expect(outbox.pendingBytes).toBe(2_000_000);
    await settled();
    expect(adapter.calls).toHaveLength(3);
    expect(outbox.pendingBytes).toBe(0);
  });

  test("fails what waits when it is dropped, and sends none of it", async () => {
    let release = (): void => undefined;
    adapter.before("send", () => new Promise((resolve) => (release = resolve)));
    outbox.send(bytes("in flight"));
    await settled();
    outbox.send(bytes("waits"));
    const call = outbox.call(() => adapter.close(conn));
    outbox.drop();
    await expect(call).rejects.toMatchObject({ gone: true });
    release();
    await settled();
    expect(adapter.calls).toEqual([`send ${conn}`]);
    expect(outbox.pendingBytes).toBe(0);
  });

  test("tells of a Send that failed, and goes on with the next", async () => {
    adapter.before("send", () => Promise.reject(new GatewayError("UNAVAILABLE", "away")));
    outbox.send(bytes("a"));
    await outbox.call(() => Promise.resolve());
    expect(failures).toMatchObject([{ code: "UNAVAILABLE" }]);
  });
});
