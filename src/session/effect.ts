import type { ServerFrame, ServerFrameOf, ServerFrameType } from "../codec/frame.js";
import type { ErrorCode } from "../errors.js";
import { errorCodes } from "../errors.js";
import type { Call, Effect, Published } from "../protocol.js";
import { toFinalRecord } from "./record.js";
import type { Active, Authenticating, Closed, Opened, Pending, SessionState } from "./state.js";

/** What a session wants done: a protocol's effects, with frames yet to be encoded. */
export type SessionEffect = Effect | { readonly kind: "frame"; readonly frame: ServerFrame };

export interface Step {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

export function to(state: SessionState, ...effects: readonly SessionEffect[]): Step {
  return { state, effects };
}

export function frame<T extends ServerFrameType>(
  type: T,
  fields: Omit<ServerFrameOf<T>, "type">,
): SessionEffect {
  return { kind: "frame", frame: { type, ...fields } as ServerFrameOf<T> };
}

/** No answer is wanted for ref 0. */
export function ok(
  ref: number,
  { published, recoverable = false }: { published?: Published; recoverable?: boolean } = {},
): readonly SessionEffect[] {
  const { id, offset } = published ?? { id: "", offset: 0 };
  return ref === 0 ? [] : [frame("ok", { ref, id, offset, recoverable })];
}

export function fail(
  ref: number,
  code: ErrorCode,
  reason: string,
  retryAfterMs: number = errorCodes[code].retryAfterMs,
): SessionEffect {
  return frame("fail", { ref, code, reason, retryAfterMs });
}

/** Makes a call under the next id; its answer is known by `state.lastCall`. */
export function call<S extends Opened | Authenticating | Active>(
  state: S,
  wanted: Call,
): { readonly state: S; readonly effect: SessionEffect } {
  const id = state.lastCall + 1;
  return { state: { ...state, lastCall: id }, effect: { kind: "call", id, call: wanted } };
}

/** Makes a call that the command under way waits for. */
export function ask(state: Active, pending: Pending, wanted: Call): Step {
  const asked = call(state, wanted);
  return to({ ...asked.state, pending, awaited: asked.state.lastCall }, asked.effect);
}

const closed: Closed = { phase: "closed" };

/** What the world is told when a connection ends while its session may go on. */
function leaveBehind(state: SessionState): readonly SessionEffect[] {
  switch (state.phase) {
    case "active":
      return [
        ...leaveRooms(state.rooms, state.pending),
        { kind: "session.release", record: toFinalRecord(state) },
      ];
    case "authenticating": {
      const { epoch, previous, greeting, rooms } = state;
      if (epoch === 0) return [];
      // What was there before the login is there after it; else there is nothing to come back to.
      return previous === undefined
        ? [{ kind: "session.drop", clientId: greeting.clientId, epoch }]
        : [
            ...leaveRooms(rooms, undefined),
            { kind: "session.release", record: { ...previous, epoch } },
          ];
    }
    case "opened":
    case "closed":
      return [];
  }
}

function leaveRooms(
  joined: ReadonlyMap<string, unknown>,
  pending: Pending | undefined,
): readonly SessionEffect[] {
  const rooms = new Set(joined.keys());
  // A join that is under way may have come as far as the presence list.
  if (pending?.command === "join") rooms.add(pending.room);
  return rooms.size === 0 ? [] : [{ kind: "presence.leave", rooms: [...rooms] }];
}

/** The server ends the connection, and says why. */
export function bye(
  state: SessionState,
  code: ErrorCode,
  reason: string,
  retryAfterMs: number = errorCodes[code].retryAfterMs,
): Step {
  if (state.phase === "closed") return to(state);
  return to(
    closed,
    frame("bye", { code, reason, retryAfterMs }),
    { kind: "close" },
    ...leaveBehind(state),
  );
}

/** The client said bye: the session is dropped, not kept for a resume. */
export function depart(state: Opened | Active): Step {
  if (state.phase === "opened") return to(closed, { kind: "close" });
  return to(closed, { kind: "close" }, ...leaveRooms(state.rooms, state.pending), {
    kind: "session.drop",
    clientId: state.greeting.clientId,
    epoch: state.epoch,
  });
}

/** The socket is gone. */
export function lost(state: SessionState): Step {
  return to(closed, ...leaveBehind(state));
}
