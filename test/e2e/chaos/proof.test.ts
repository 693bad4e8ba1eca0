import { describe, expect, test } from "@jest/globals";
import { findFaults, type Noted, type Records } from "./proof.js";

const message = (offset: number): Extract<Noted, { kind: "message" }> => ({
  kind: "message",
  text: `t${offset}`,
  id: `id${offset}`,
  offset,
});
const offsets = [1, 2, 3];
const said = offsets.map((offset) => ({
  room: "r",
  text: `t${offset}`,
  id: `id${offset}`,
  offset,
  at: 1_000,
}));
const losses = [{ from: 900, to: 1_100 }];

function records(notes: readonly Noted[], more: Partial<Records> = {}): Records {
  return {
    said,
    sessions: [{ name: "s", room: "r", notes }],
    logs: new Map([["r", said]]),
    loss: "healed",
    losses,
    ...more,
  };
}

const all = offsets.map(message);
const gap: Noted = { kind: "gap", room: "r", from: 2, to: 2 };

describe("the proof finds", () => {
  test("nothing where all is well", () => {
    expect(findFaults(records(all))).toEqual([]);
  });

  test.each<readonly [string, Records, RegExp]>([
    ["what never came", records([message(1), message(3)]), /never got "t2"/],
    ["what came twice", records([...all, message(3)]), /"t3" 2 times/],
    ["what came in another order", records([message(2), message(1), message(3)]), /behind 2/],
    ["a told loss, where none may be", records([message(1), gap, message(3)]), /never got "t2"/],
    [
      "a told loss, where there is none",
      records([...all, gap], { loss: "none" }),
      /was told of a gap/,
    ],
    [
      "a loss that was told of another place",
      records([message(1), { ...gap, room: "" }, message(3)], { loss: "told" }),
      /never got "t2"/,
    ],
    [
      "what is missing, though the store has lost nothing then",
      records([message(1), gap, message(3)], { loss: "told", losses: [{ from: 0, to: 900 }] }),
      /never got "t2"/,
    ],
    [
      "a loss outside of what was told",
      records([message(1), gap], { loss: "told" }),
      /never got "t3"/,
    ],
    [
      "a key that was published twice",
      records(all, { logs: new Map([["r", [...said, { id: "id9", offset: 9, text: "t1" }]]]) }),
      /twice/,
    ],
    [
      "a log that lacks what was confirmed",
      records(all, { logs: new Map([["r", said.slice(1)]]) }),
      /not in the log/,
    ],
    [
      "an id that is another message elsewhere",
      records([...all, { kind: "message", text: "other", id: "id1", offset: 4 }]),
      /has id1 as "other"/,
    ],
  ])("%s", (_, given, fault) => {
    expect(findFaults(given).join("\n")).toMatch(fault);
  });

  test.each<readonly [string, readonly Noted[], RegExp]>([
    ["is told behind what it has", [...all, { ...message(3), id: "id9" }, gap], /^$/],
    ["is not told", [...all, { ...message(3), id: "id9" }], /"t3" 2 times[^]*behind 3/],
    ["has the same id", [...all, message(3), gap], /"t3" 2 times/],
  ])("a log that begins anew, where that %s", (_, notes, fault) => {
    const faults = findFaults(records(notes, { loss: "told" })).join("\n");
    expect(faults).toMatch(fault);
  });

  test("a loss that was told is none where the store may lose", () => {
    expect(findFaults(records([message(1), gap, message(3)], { loss: "told" }))).toEqual([]);
  });
});
