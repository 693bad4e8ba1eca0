/** What must hold of the records of all clients, whatever was killed meanwhile. */

export interface Said {
  readonly room: string;
  readonly text: string;
  /** As `ok` told. */
  readonly id: string;
  readonly offset: number;
  /** When the `ok` came, in ms since 1970. */
  readonly at: number;
}

/** In ms since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type Noted =
  | {
      readonly kind: "message";
      readonly text: string;
      readonly id: string;
      /** 0: not from a log. */
      readonly offset: number;
    }
  | {
      readonly kind: "gap";
      /** Empty: the inbox. */
      readonly room: string;
      /** 0: not known. */
      readonly from: number;
      readonly to: number;
    };

/** What a session was told in its room, in order; what it said comes to it as well. */
export interface Session {
  readonly name: string;
  readonly room: string;
  readonly notes: readonly Noted[];
}

export interface Entry {
  readonly id: string;
  readonly offset: number;
  readonly text: string;
}

export interface Records {
  readonly said: readonly Said[];
  readonly sessions: readonly Session[];
  /** What is kept of each room at the end, in any order. */
  readonly logs: ReadonlyMap<string, readonly Entry[]>;
  /**
   * What becomes of what the store has lost. "none": it loses nothing, and nobody is told that it might
   * have. "healed": all is put back, but the sessions may be told. "told": it is lost, and the sessions
   * are told.
   */
  readonly loss: "none" | "healed" | "told";
  /** When there was what the store has lost. */
  readonly losses: readonly Span[];
}

/** In notes: what a session gets while the store comes back. */
const SHORTLY = 50;

/** The faults, a line each. Texts must be unique over all that was said. */
export function findFaults(records: Records): readonly string[] {
  return [
    ...records.sessions.flatMap((session) => [
      ...checkReceived(session, records),
      ...checkOrder(session, records),
    ]),
    ...checkLogs(records),
    ...checkIds(records),
  ];
}

function checkReceived({ name, room, notes }: Session, records: Records): string[] {
  const { said, loss, losses } = records;
  const mayLose = loss === "told";
  const copies = new Map<string, { readonly id: string; readonly index: number }[]>();
  notes.forEach((note, index) => {
    if (note.kind !== "message") return;
    copies.set(note.text, [...(copies.get(note.text) ?? []), { id: note.id, index }]);
  });
  const isTold = ({ offset, at }: Said) =>
    losses.some(({ from, to }) => from <= at && at <= to) &&
    notes.some(
      (note) =>
        note.kind === "gap" &&
        note.room === room &&
        (note.from === 0 || note.from <= offset) &&
        (note.to === 0 || offset <= note.to),
    );
  /**
   * The store has lost that it was said, so it was said again, under another id. That something was
   * lost is told behind the first copy, or shortly before it, where that was stored late.
   */
  const isSaidAgain = (got: readonly { readonly id: string; readonly index: number }[]) =>
    new Set(got.map(({ id }) => id)).size === got.length &&
    notes.some(
      (note, index) =>
        note.kind === "gap" && note.room === room && index > (got[0]?.index ?? 0) - SHORTLY,
    );
  const faults: string[] = [];
  if (loss === "none") {
    for (const note of notes) {
      if (note.kind === "gap") faults.push(`${name} was told of a gap in "${note.room}"`);
    }
  }
  for (const message of said) {
    if (message.room !== room) continue;
    const got = copies.get(message.text) ?? [];
    const count = got.length;
    if (count > 1 && !(mayLose && isSaidAgain(got))) {
      const which = got.map(({ id, index }) => `${index}: ${id}`).join(", ");
      const gaps = notes.flatMap((note, index) => (note.kind === "gap" ? [index] : []));
      faults.push(
        `${name} got "${message.text}" ${count} times (${which}; gaps at ${gaps.join(", ")})`,
      );
    }
    if (count > 0 || (mayLose && isTold(message))) continue;
    faults.push(`${name} never got "${message.text}" (offset ${message.offset} of ${room})`);
  }
  return faults;
}

/**
 * A log that begins again where it was before can't do so unless that is told: at the latest behind
 * what it has.
 */
function checkOrder({ name, room, notes }: Session, { loss }: Records): string[] {
  const faults: string[] = [];
  let last = 0;
  let untold: string | undefined;
  for (const note of notes) {
    if (note.kind === "gap") {
      if (loss !== "told" || note.room !== room) continue;
      last = 0;
      untold = undefined;
    } else if (note.offset > 0) {
      if (note.offset <= last) {
        if (untold !== undefined) faults.push(untold);
        untold = `${name} got offset ${note.offset} of ${room} behind ${last}: "${note.text}"`;
      }
      last = note.offset;
    }
  }
  return untold === undefined ? faults : [...faults, untold];
}

function checkLogs({ said, logs, loss }: Records): string[] {
  const mayLose = loss === "told";
  const faults: string[] = [];
  for (const [room, entries] of logs) {
    const byText = new Map<string, Entry>();
    const own = said.filter((message) => message.room === room);
    const texts = new Set(own.map(({ text }) => text));
    for (const entry of entries) {
      // A key that the store has lost is published again.
      if (!mayLose && texts.has(entry.text) && byText.has(entry.text)) {
        faults.push(`"${entry.text}" is in the log of ${room} twice`);
      }
      byText.set(entry.text, entry);
    }
    for (const { text, id, offset } of own) {
      const entry = byText.get(text);
      if (entry === undefined) {
        if (!mayLose) faults.push(`"${text}" is not in the log of ${room}`);
      } else if (!mayLose && (entry.id !== id || entry.offset !== offset)) {
        faults.push(`"${text}" is ${entry.id} at ${entry.offset}, not ${id} at ${offset}`);
      }
    }
  }
  return faults;
}

/** One id is one message, for everybody; where nothing can be lost, it has one offset too. */
function checkIds({ sessions, logs, loss }: Records): string[] {
  const mayLose = loss === "told";
  const faults: string[] = [];
  const known = new Map<string, Entry>();
  for (const entry of [...logs.values()].flat()) known.set(entry.id, entry);
  for (const { name, notes } of sessions) {
    for (const note of notes) {
      if (note.kind !== "message" || note.id === "") continue;
      const entry = known.get(note.id) ?? note;
      known.set(note.id, entry);
      const isMoved = note.offset > 0 && entry.offset > 0 && note.offset !== entry.offset;
      if (entry.text !== note.text || (isMoved && !mayLose)) {
        faults.push(
          `${name} has ${note.id} as "${note.text}" at ${note.offset}, ` +
            `others as "${entry.text}" at ${entry.offset}`,
        );
      }
    }
  }
  return faults;
}
