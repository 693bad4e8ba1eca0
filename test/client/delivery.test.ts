/** From the core to the app, by itself. */
import { describe, expect, test } from "@jest/globals";
import { Delivery, type DeliveryOptions } from "../../src/client/delivery.js";
import type { ChatMessage } from "../../src/client/index.js";
import { eventually } from "../support/eventually.js";
import { message } from "./support/frames.js";

function create(more: Partial<DeliveryOptions> = {}) {
  const done: number[] = [];
  const delivery = new Delivery({
    maxUndelivered: 10,
    onDone: (token) => done.push(token),
    onError: () => undefined,
    ...more,
  });
  const heard: (string | undefined)[] = [];
  return { delivery, done, heard, hear: ({ text }: ChatMessage) => void heard.push(text) };
}

const until = (done: readonly number[], count: number) =>
  eventually(`${count} are done`, () => done.length >= count);

test("a listener that is put in place of itself hears each message once", async () => {
  const { delivery, done, heard, hear } = create();
  const listenOnce = () => {
    const off = delivery.on("message", (one) => {
      hear(one);
      off();
      // So that a mistake ends.
      if (heard.length < 10) listenOnce();
    });
  };
  listenOnce();
  delivery.push(message(1), 1);
  delivery.push(message(2), 2);
  await until(done, 2);
  expect(heard).toEqual(["text 1", "text 2"]);
});

test("a listener that another one takes away hears nothing more", async () => {
  const { delivery, done, heard, hear } = create();
  delivery.on("message", () => off());
  const off = delivery.on("message", hear);
  delivery.push(message(1), 1);
  await until(done, 1);
  expect(heard).toEqual([]);
});

test("live messages of qos 0 are dropped while as many events wait as may, others never", async () => {
  const { delivery, done, heard, hear } = create({ maxUndelivered: 2 });
  const release: (() => void)[] = [];
  delivery.on("message", (one) => {
    hear(one);
    return new Promise<void>((resolve) => release.push(resolve));
  });
  const next = async () => {
    await eventually("one is in hand", () => release.length > 0);
    release.shift()?.();
  };
  delivery.push(message(1), 1);
  await next();
  await until(done, 1);
  for (const seq of [2, 3, 4]) delivery.push(message(seq), seq);
  await eventually("one is in hand", () => release.length > 0);
  // Two wait behind it.
  delivery.push(message(0, { qos: 0, text: "dropped" }), undefined);
  delivery.push(message(5), 5);
  await next();
  await next();
  await until(done, 3);
  await next();
  await next();
  await until(done, 5);
  expect(heard).toEqual(["text 1", "text 2", "text 3", "text 4", "text 5"]);
});

describe("an iterator", () => {
  test("that is asked for two events at once gives both", async () => {
    const { delivery, done } = create();
    const events = delivery.read();
    const both = Promise.all([events.next(), events.next()]);
    delivery.push(message(1), 1);
    delivery.push(message(2), 2);
    expect((await both).map(({ value }) => (value as ChatMessage).text)).toEqual([
      "text 1",
      "text 2",
    ]);
    // Asking again says that the one before was dealt with.
    expect(done).toEqual([1]);
  });

  test("that is left in the middle holds nothing up", async () => {
    const { delivery, done } = create();
    const events = delivery.read();
    const first = events.next();
    delivery.push(message(1), 1);
    delivery.push(message(2), 2);
    await first;
    await events.return?.();
    await until(done, 2);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test("that waits when all is over ends", async () => {
    const { delivery } = create();
    const events = delivery.read();
    const waiting = [events.next(), events.next()];
    delivery.end();
    const over = { done: true, value: undefined };
    expect(await Promise.all(waiting)).toEqual([over, over]);
    expect(await delivery.read().next()).toEqual(over);
  });
});
