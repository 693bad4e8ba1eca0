import { describe, expect, test } from "@jest/globals";
import { createPublications } from "../../src/handler/index.js";
import { createFakeClock, settled } from "../support/fake-clock.js";
import { createWorld } from "../support/world.js";

describe("an MQTT client that bears a chat client's id", () => {
  test("is not shown under its username, and is heard by it", async () => {
    const world = createWorld();
    const alice = await world.login("a1", { username: "alice" });
    const bob = await world.login("b1");
    await alice.sends({ join: { room: "lobby" } });
    await bob.sends({ join: { room: "lobby" } });
    void world.adapter.publishes("chat/room/lobby", "send me money", { from: "a1" });
    await settled();
    const [toBob] = bob.hears();
    expect(toBob).toMatchObject({ message: { from: "a1", text: "send me money" } });
    expect(toBob?.message).not.toHaveProperty("username");
    expect(alice.hears()).toMatchObject([{ message: { text: "send me money" } }]);
    await world.end();
  });
});

describe("a publication", () => {
  const payload = Buffer.from("x");
  const message = { from: "a1", topic: "t", payload };

  test("is known by publisher, topic and payload together", () => {
    const publications = createPublications(createFakeClock());
    publications.note("a1", "alice", "t", payload);
    expect(publications.publisherOf(message)).toBe("alice");
    expect(publications.publisherOf({ ...message, from: "a2" })).toBeUndefined();
    expect(publications.publisherOf({ ...message, topic: "u" })).toBeUndefined();
    expect(publications.publisherOf({ ...message, payload: Buffer.of(1) })).toBeUndefined();
  });

  test("is forgotten after a minute at the latest", async () => {
    const clock = createFakeClock();
    const publications = createPublications(clock);
    publications.note("a1", "alice", "t", payload);
    await clock.advance(30_000);
    expect(publications.publisherOf(message)).toBe("alice");
    await clock.advance(30_000);
    expect(publications.publisherOf(message)).toBeUndefined();
  });
});
