import type { ServerFrame, ServerFrameOf, ServerFrameType } from "../codec/frame.js";
import type { ErrorCode } from "../errors.js";
import { errorCodes } from "../errors.js";
import type { Call, Effect } from "../protocol.js";
import type { Active, Authenticating, Closed, Opened, SessionState } from "./state.js";

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
export function ok(ref: number): readonly SessionEffect[] {
  return ref === 0 ? [] : [frame("ok", { ref, id: "", offset: 0, recoverable: false })];
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

const closed: Closed = { phase: "closed" };

/** What the world is told when a connection ends while its session may go on. */
function leaveBehind(state: SessionState): readonly SessionEffect[] {
  switch (state.phase) {
    case "active":
      return [
        ...leaveRooms(state),
        { kind: "session.release", clientId: state.greeting.clientId, epoch: state.epoch },
      ];
    case "authenticating":
      // Between its take and its welcome a session has nothing to come back to.
      return state.epoch === 0
        ? []
        : [{ kind: "session.drop", clientId: state.greeting.clientId, epoch: state.epoch }];
    case "opened":
    case "closed":
      return [];
  }
}

function leaveRooms(state: Active): readonly SessionEffect[] {
  const rooms = new Set(state.rooms.keys());
  // A join that is under way may have come as far as the presence list.
  if (state.pending?.command === "join") rooms.add(state.pending.room);
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
  return to(closed, { kind: "close" }, ...leaveRooms(state), {
    kind: "session.drop",
    clientId: state.greeting.clientId,
    epoch: state.epoch,
  });
}

/** The socket is gone. */
export function lost(state: SessionState): Step {
  return to(closed, ...leaveBehind(state));
}
