import { describe, expect, test } from "@jest/globals";
import type { HookClient } from "../../src/hook/index.js";
import { memberRooms, stepMqttClient, type MqttEvent } from "../../src/hook/mqtt-session.js";
import type { MqttClientRecord } from "../../src/store/records.js";

const client = (peer: string, node = "n1"): HookClient => ({
  node,
  clientId: "m1",
  username: "mia",
  protocol: "mqtt",
  peer,
});

/** Connections of one client, in the order they come; `c4` and `d4` are of EMQX 4.x, at one host. */
const connections: Readonly<Record<string, HookClient>> = {
  a: client("10.0.0.7:1"),
  b: client("10.0.0.7:2"),
  c: client("10.0.0.7:1", "n2"),
  c4: client("10.0.0.9:0"),
  d4: client("10.0.0.9:0"),
};

/** `a+ a:lobby a-`: `+` connected, `-` disconnected, `~` resumed, `!` ended, `:` and `/` a room. */
function run(script: string): MqttClientRecord | undefined {
  let record: MqttClientRecord | undefined;
  for (const [at, word] of script.split(" ").entries()) {
    const [, name = "", sign = "", room = ""] = /^(\w+)([-+~!:/])(\w*)$/.exec(word) ?? [];
    const events: Readonly<Record<string, MqttEvent>> = {
      "+": { kind: "connected" },
      "-": { kind: "disconnected" },
      "~": { kind: "resumed" },
      "!": { kind: "ended" },
      ":": { kind: "subscribed", room },
      "/": { kind: "unsubscribed", room },
    };
    const event = events[sign];
    const who = connections[name];
    if (event === undefined || who === undefined) throw new Error(`no such word: ${word}`);
    record = stepMqttClient(record, who, event, at);
  }
  return record;
}

const roomsAfter = (script: string) => memberRooms(run(script)).map(([room]) => room);

describe("an MQTT client", () => {
  test.each<readonly [string, string, readonly string[]]>([
    ["is in no room when it connects", "a+", []],
    ["is in the rooms that it subscribes", "a+ a:r a:s", ["r", "s"]],
    ["is in a room once, however often it subscribes", "a+ a:r a:r", ["r"]],
    ["leaves a room that it unsubscribes", "a+ a:r a:s a/r", ["s"]],
    ["may unsubscribe what it has not subscribed", "a+ a/r a:s a/r", ["s"]],
    ["is gone when it disconnects", "a+ a:r a-", []],
    ["is gone when its session is over", "a+ a:r a!", []],
    ["is back in its rooms when its session goes on", "a+ a:r a- b~ b+", ["r"]],
    ["is so, too, when it is told to be connected first", "a+ a:r a- b+ b~", ["r"]],
    ["is so without being told to be connected", "a+ a:r a- b~", ["r"]],
    ["is in no room when its session does not go on", "a+ a:r a- b+", []],
    ["is not back in rooms of a session that was over", "a+ a:r a- a! b+ b~", []],
    ["is not back in rooms of the session before the last", "a+ a:r a- b+ b:s b- c~ c+", ["s"]],
    ["is not back in a room that it unsubscribed", "a+ a:r a:s a/r a- b~ b+", ["s"]],
    ["is back on another node", "a+ a:r a- c~ c+ c:s", ["r", "s"]],
    ["has new rooms beside those it is back in", "a+ a:r a- b+ b:s b~", ["s", "r"]],
  ])("%s", (_name, script, rooms) => {
    expect(roomsAfter(script)).toEqual(rooms);
  });

  describe("whose disconnection was lost", () => {
    test.each<readonly [string, string, readonly string[]]>([
      ["is in no room when it connects anew", "a+ a:r b+", []],
      ["is in its rooms when its session goes on", "a+ a:r b~ b+", ["r"]],
      ["is so in the other order", "a+ a:r b+ b~", ["r"]],
      ["is in no room when it subscribes elsewhere anew", "a+ a:r c:s", ["s"]],
      ["keeps its new rooms when the news comes late", "a+ a:r b+ b:s a-", ["s"]],
      ["keeps them when the old session's end comes late", "a+ a:r b+ b:s a!", ["s"]],
      ["is not back in rooms of a session that ended late", "a+ a:r b+ b:s a! b~", ["s"]],
      ["at EMQX 4.x, is in no room when it connects anew", "c4+ c4:r d4+", []],
      ["at EMQX 4.x, is back when its session goes on", "c4+ c4:r d4+ d4~", ["r"]],
    ])("%s", (_name, script, rooms) => {
      expect(roomsAfter(script)).toEqual(rooms);
    });
  });

  test("that was told to connect twice is where it was", () => {
    expect(roomsAfter("a+ a:r a+")).toEqual(["r"]);
  });

  test("has a bounded record, whatever it subscribes", () => {
    const many = Array.from({ length: 1_100 }, (_, i) => `:r${i}`);
    const script = ["a+", ...many.map((word) => `a${word}`), "a:r5", "a/r0", "a:last"].join(" ");
    const rooms = roomsAfter(script);
    expect(rooms).toHaveLength(1_000);
    expect(rooms.at(-1)).toBe("last");
    const again = ["b+", ...many.map((word) => `b${word}x`), "c+"].join(" ");
    expect(run(`${script} ${again}`)?.before).toHaveLength(1_000);
  });

  test("that is back has come back then, and not when it had come first", () => {
    expect(memberRooms(run("a+ a:r a- b~ b+"))).toEqual([["r", 3]]);
  });

  test("that goes on without having been away is there since it came first", () => {
    expect(memberRooms(run("a+ a:r b~ b+"))).toEqual([["r", 1]]);
  });

  test.each(["a+", "a+ a:r a/r", "a+ a:r a- a!", "a+ a:r a- b+ b-", "a+ a:r a- b+ a!", "a~ a-"])(
    "leaves nothing behind: %s",
    (script) => {
      expect(run(script)).toBeUndefined();
    },
  );
});
