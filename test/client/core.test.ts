/** The core by itself: what goes in, what comes out, at which time. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ClientFrame, ServerFrame } from "../../src/codec/index.js";
import { Conversation } from "../../src/client/core/conversation.js";
import type { CoreEvent, Effect, Qos } from "../../src/client/core/effect.js";
import { Intake } from "../../src/client/core/intake.js";
import { checkClientId, checkRoom, checkUsername } from "../../src/client/core/names.js";
import {
  defaultReconnect,
  defaultSettings,
  retryDelayMs,
  type Settings,
} from "../../src/client/core/settings.js";
import { isClientId, isRoomName, isUsername } from "../../src/session/topics.js";
import { bye, fail, message, ok, welcome } from "./support/frames.js";

function create(more: Partial<Settings> = {}) {
  const core = new Conversation({ ...defaultSettings, random: () => 0, ...more });
  let now = 0;
  let call = 100;
  const handle = (event: CoreEvent): readonly Effect[] => core.handle(event, now);
  const sent = (effects: readonly Effect[]): readonly ClientFrame[] =>
    effects.flatMap((effect) => (effect.kind === "send" ? [effect.frame] : []));
  return {
    core,
    handle,
    at(time: number) {
      now = time;
    },
    gets: (frame: ServerFrame) => handle({ kind: "frame", frame }),
    /** The frames that follow. */
    sends: (event: CoreEvent) => sent(handle(event)),
    sent,
    login(...rooms: readonly string[]) {
      handle({ kind: "connect", call: 1 });
      handle({ kind: "opened" });
      handle({ kind: "frame", frame: welcome({ resumed: rooms.length > 0, rooms: [...rooms] }) });
    },
    say(text: string, qos: Qos = 1): CoreEvent {
      call += 1;
      const to = { room: "lobby" };
      return { kind: "say", call, to, content: { text }, qos, key: text, sizeBytes: 10 };
    },
    lose() {
      handle({ kind: "lost", reason: "cut" });
      handle({ kind: "timer", name: "retry" });
      handle({ kind: "opened" });
    },
  };
}

test.each([
  ["the first time", 0, 0, 0, 500],
  ["the third time", 2, 0, 0, 2_000],
  ["after many", 50, 0, 0, 30_000],
  ["with the most jitter", 1, 0, 0.999, 501],
  ["no earlier than the server says", 0, 4_000, 0, 4_000],
  ["a little later than the server says", 0, 4_000, 0.5, 4_500],
  ["as late as the own delay where that is later", 3, 1_000, 0, 4_000],
])("comes back %s", (_when, failures, retryAfterMs, random, delayMs) => {
  expect(retryDelayMs(defaultReconnect, failures, retryAfterMs, () => random)).toBe(delayMs);
});

test("names are refused where the server refuses them", () => {
  const accepts = (check: (name: string) => void) => (name: string) => {
    try {
      check(name);
      return true;
    } catch {
      return false;
    }
  };
  const pieces = ["a", "é", "9", "-", "_", ".", ":", "@", "+", "#", "/", "$", "\u0000", " "];
  const name = fc.oneof(
    fc.string({ unit: "binary", maxLength: 140 }),
    fc.string({ unit: fc.constantFrom(...pieces), maxLength: 140 }),
  );
  fc.assert(
    fc.property(name, (one) => {
      expect(accepts(checkRoom)(one)).toBe(isRoomName(one));
      expect(accepts(checkClientId)(one)).toBe(isClientId(one));
      expect(accepts(checkUsername)(one)).toBe(isUsername(one));
    }),
    { numRuns: 1_000 },
  );
});

describe("a say", () => {
  test("at qos 2 is not sent again when the server has forgotten its key", () => {
    const { login, sends, say, lose, at, gets, core } = create({ keyWindowMs: 1_000 });
    login("lobby");
    expect(sends(say("one", 2))).toHaveLength(1);
    at(1_001);
    lose();
    const effects = gets(welcome({ resumed: true, rooms: ["lobby"] }));
    expect(effects.filter(({ kind }) => kind === "send")).toEqual([]);
    expect(effects).toContainEqual(expect.objectContaining({ kind: "reject", call: 101 }));
    expect(core.queued).toBe(0);
  });

  test("at qos 1 is, as it may come twice", () => {
    const { login, sends, sent, say, lose, at, gets } = create({ keyWindowMs: 1_000 });
    login("lobby");
    sends(say("one"));
    at(1_001);
    lose();
    expect(sent(gets(welcome({ resumed: true, rooms: ["lobby"] })))).toMatchObject([
      { type: "say", text: "one" },
    ]);
  });

  test("before a leave is said before it, one after it is refused", () => {
    const { login, sends, handle, sent, say, gets } = create();
    login("lobby");
    const [first] = sends(say("one"));
    expect(sends(say("two"))).toEqual([]);
    expect(sends({ kind: "leave", call: 9, room: "lobby" })).toEqual([]);
    expect(handle(say("three"))).toMatchObject([{ kind: "reject", error: { code: "NOT_JOINED" } }]);
    const refOf = (frame: ClientFrame | undefined) =>
      frame !== undefined && "ref" in frame ? frame.ref : 0;
    const [second] = sent(gets(ok(refOf(first))));
    expect(second).toMatchObject({ type: "say", text: "two" });
    expect(sent(gets(ok(refOf(second))))).toMatchObject([{ type: "leave", room: "lobby" }]);
  });

  test("waits for its room to be joined", () => {
    const { login, sends, sent, say, gets, lose } = create();
    login("lobby");
    lose();
    const [join] = sent(gets(welcome({ session: "s2" })));
    expect(join).toMatchObject({ type: "join", room: "lobby", history: 0 });
    expect(sends(say("one"))).toEqual([]);
    const ref = join?.type === "join" ? join.ref : 0;
    expect(sent(gets(ok(ref)))).toMatchObject([{ type: "say", text: "one" }]);
  });
});

test("a join that is refused for now is not tried again once the room was left", () => {
  const { login, sends, gets, handle } = create();
  login();
  const [join] = sends({ kind: "join", call: 5, room: "den", options: {} });
  handle({ kind: "leave", call: 6, room: "den" });
  const ref = join?.type === "join" ? join.ref : 0;
  expect(gets(fail(ref, "UNAVAILABLE", 100))).toMatchObject([{ kind: "reject", call: 5 }]);
});

test("an ack that was refused is sent again when it may be", () => {
  const { login, gets, handle, sends } = create({ ackEvery: 1 });
  login("lobby");
  gets(message(1));
  expect(sends({ kind: "taken", token: 1 })).toEqual([{ type: "ack", seq: 1 }]);
  expect(gets(fail(0, "RATE_LIMITED", 300))).toEqual([{ kind: "timer.set", name: "ack", at: 300 }]);
  expect(handle({ kind: "timer", name: "ack" })).toEqual([
    { kind: "send", frame: { type: "ack", seq: 1 } },
  ]);
});

test("gives up after as many failures as it may have", () => {
  const { handle } = create({ reconnect: { ...defaultReconnect, maxAttempts: 2 } });
  handle({ kind: "connect", call: 1 });
  handle({ kind: "lost", reason: "refused" });
  handle({ kind: "timer", name: "retry" });
  handle({ kind: "lost", reason: "refused" });
  handle({ kind: "timer", name: "retry" });
  expect(handle({ kind: "lost", reason: "refused" })).toContainEqual(
    expect.objectContaining({ kind: "reject", call: 1 }),
  );
});

test("a connection that does not last does not begin the delays anew", () => {
  const { login, at, handle, gets } = create();
  const delays: number[] = [];
  login();
  for (const lastsMs of [9_999, 9_999, 10_000]) {
    const start = delays.length * 100_000;
    at(start);
    handle({ kind: "timer", name: "retry" });
    handle({ kind: "opened" });
    gets(welcome({ resumed: true }));
    at(start + lastsMs);
    for (const effect of handle({ kind: "frame", frame: bye("IDLE_TIMEOUT") })) {
      if (effect.kind === "timer.set" && effect.name === "retry") {
        delays.push(effect.at - start - lastsMs);
      }
    }
  }
  expect(delays).toEqual([500, 1_000, 500]);
});

test("remembers no more ids than it may, and forgets none that is not taken over", () => {
  const intake = new Intake(512, 0, []);
  const first = intake.receive(message(1));
  for (let seq = 2; seq <= 2_000; seq += 1) intake.take(intake.receive(message(seq)) ?? 0);
  expect(intake.seen).toHaveLength(512);
  expect(intake.lastSeq).toBe(0);
  expect(intake.receive(message(2_001, { id: message(1).id }))).toBeUndefined();
  intake.take(first ?? 0);
  expect(intake.lastSeq).toBe(2_001);
});

test("has nothing to take over of a live message of qos 0", () => {
  const intake = new Intake(512, 0, []);
  expect(intake.receive(message(0, { qos: 0 }))).toBe(0);
  expect(intake.receive(message(0, { qos: 0, replay: true }))).toBeGreaterThan(0);
  expect(intake.receive(message(1))).toBeGreaterThan(0);
});

test("a client id that was given holds where the saved state has none yet", () => {
  const saved = create().core.save();
  const { handle } = create({ clientId: "alice-1", saved });
  handle({ kind: "connect", call: 1 });
  expect(handle({ kind: "opened" })).toContainEqual(
    expect.objectContaining({ frame: expect.objectContaining({ clientId: "alice-1" }) }),
  );
});

test("what was saved says of a room how far the app has taken it over, not what has come", () => {
  const { login, gets, handle, core } = create();
  login("lobby");
  for (const seq of [1, 2, 3]) gets(message(seq));
  expect(core.save().rooms).toMatchObject([{ room: "lobby", offset: 0 }]);
  handle({ kind: "taken", token: 1 });
  expect(core.save().rooms).toMatchObject([{ room: "lobby", offset: 1 }]);
  handle({ kind: "taken", token: 3 });
  expect(core.save().rooms).toMatchObject([{ room: "lobby", offset: 1 }]);
  handle({ kind: "taken", token: 2 });
  expect(core.save().rooms).toMatchObject([{ room: "lobby", offset: 3 }]);
});
