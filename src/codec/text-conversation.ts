/**
 * What text mode has to remember, because people do not type refs and leave the room out: what each
 * ref asked for, and which room was joined last.
 */

/** What an `ok` or a `fail` will be about. */
export type Asked =
  | { readonly kind: "join"; readonly room: string }
  | { readonly kind: "leave"; readonly room: string }
  | { readonly kind: "say"; readonly room: string }
  | { readonly kind: "msg"; readonly user: string };

export interface Conversation {
  /** A ref for a command whose answer needs no memory. */
  nextRef(): number;
  /** A ref for a command that is remembered until it is answered. */
  ask(asked: Asked): number;
  /** What was asked with this ref, if it is still known; it is forgotten now. */
  done(ref: number): Asked | undefined;
  /** The same, for a refusal: `notJoined` says that the session is not in the room. */
  refused(ref: number, notJoined: boolean): void;
  /** A login was asked for. */
  begin(): void;
  readonly hasBegun: boolean;
  /** The session is in these rooms already. */
  resumed(rooms: readonly string[]): void;
  /**
   * The room joined last and not left since. What was asked for counts until it is refused, so that
   * a line that follows `/join` in the same packet has its room.
   */
  readonly room: string | undefined;
}

/** The oldest is forgotten beyond that: its answer reads `ok`. */
const MAX_ASKED = 128;
const MAX_REF = 2 ** 32 - 1;

export function createConversation(): Conversation {
  /** In the order of joining. */
  const joined = new Set<string>();
  /** In the order of asking. */
  const asked = new Map<number, Asked>();
  /** The room joined last, until something changes. */
  let known: { readonly room: string | undefined } | undefined;
  let ref = 0;
  let hasBegun = false;

  function nextRef(): number {
    ref = ref === MAX_REF ? 1 : ref + 1;
    return ref;
  }

  function answered(ref: number): Asked | undefined {
    const what = asked.get(ref);
    forget(ref);
    return what;
  }

  function forget(ref: number): void {
    asked.delete(ref);
    known = undefined;
  }

  function findRoom(): string | undefined {
    const rooms = new Set(joined);
    for (const what of asked.values()) apply(what, rooms);
    return [...rooms].at(-1);
  }

  return {
    nextRef,
    ask(what) {
      asked.set(nextRef(), what);
      known = undefined;
      const [oldest = ref] = asked.keys();
      if (asked.size > MAX_ASKED) forget(oldest);
      return ref;
    },
    done(ref) {
      const what = answered(ref);
      if (what !== undefined) apply(what, joined);
      return what;
    },
    refused(ref, notJoined) {
      const what = answered(ref);
      if (what?.kind === "leave" && notJoined) joined.delete(what.room);
    },
    begin() {
      hasBegun = true;
    },
    get hasBegun() {
      return hasBegun;
    },
    resumed(rooms) {
      for (const room of rooms) joined.add(room);
      known = undefined;
    },
    get room() {
      known ??= { room: findRoom() };
      return known.room;
    },
  };
}

function apply(what: Asked, rooms: Set<string>): void {
  if (what.kind !== "join" && what.kind !== "leave") return;
  rooms.delete(what.room);
  if (what.kind === "join") rooms.add(what.room);
}
