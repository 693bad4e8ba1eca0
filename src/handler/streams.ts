/**
 * Order repair for the streaming service. EMQX opens one stream per method and connection and
 * flushes each by itself: bytes may come before "created", "closed" before the last bytes, even
 * before "created". So what is early waits, bounded in bytes and time, for "created"; "closed" is
 * applied after a short grace. Only then are the connection's streams ended: EMQX never ends them,
 * and drops the events of a method whose stream we have ended.
 */
import type { InboundStream } from "../rpc/server.js";
import type { EmptySuccess } from "../rpc/generated/exproto.js";
import type { Door, DoorEvent } from "./door.js";
import type { Runtime } from "./runtime.js";

type Stream = InboundStream<{ readonly conn: string }, EmptySuccess>;

export interface StreamRepair {
  /** @param toEvent what a message of this stream's method means. */
  accept<M extends { readonly conn: string }>(
    stream: InboundStream<M, EmptySuccess>,
    toEvent: (message: M) => DoorEvent,
  ): void;
}

interface Entry {
  readonly streams: Set<Pick<Stream, "finish">>;
  stage: Stage;
}

type Stage =
  /** "created" has not come. `closedReason` is set once "closed" has. */
  | {
      readonly name: "early";
      readonly events: DoorEvent[];
      bytes: number;
      closedReason: string | undefined;
      readonly cancel: () => void;
    }
  | { readonly name: "created" }
  | { readonly name: "closing"; readonly cancel: () => void };

export function createStreamRepair(
  door: Door,
  { clock, limits, logger }: Pick<Runtime, "clock" | "limits" | "logger">,
): StreamRepair {
  const entries = new Map<string, Entry>();

  function end(conn: string, entry: Entry): void {
    if (entries.get(conn) === entry) entries.delete(conn);
    if (entry.stage.name !== "created") entry.stage.cancel();
    for (const stream of entry.streams) stream.finish({});
    entry.streams.clear();
  }

  function enter(conn: string): Entry {
    const known = entries.get(conn);
    if (known !== undefined) return known;
    const entry: Entry = { streams: new Set(), stage: { name: "created" } };
    if (!door.knows(conn)) {
      entry.stage = {
        name: "early",
        events: [],
        bytes: 0,
        closedReason: undefined,
        cancel: clock.schedule(limits.createdGraceMs, () => giveUp(conn, entry)),
      };
    }
    entries.set(conn, entry);
    return entry;
  }

  /** "created" never came: this process was restarted, or EMQX has dropped it. */
  function giveUp(conn: string, entry: Entry): void {
    const { stage } = entry;
    if (stage.name === "early" && stage.closedReason === undefined) door.orphan(conn);
    end(conn, entry);
  }

  function close(conn: string, entry: Entry, reason: string): void {
    const cancel = clock.schedule(limits.closedGraceMs, () => {
      door.apply(conn, { kind: "closed", reason });
      end(conn, entry);
    });
    entry.stage = { name: "closing", cancel };
  }

  function onEarly(
    conn: string,
    entry: Entry,
    stage: Extract<Stage, { name: "early" }>,
    event: DoorEvent,
  ): void {
    if (event.kind === "created") {
      stage.cancel();
      entry.stage = { name: "created" };
      door.apply(conn, event);
      for (const early of stage.events) door.apply(conn, early);
      if (stage.closedReason !== undefined) close(conn, entry, stage.closedReason);
    } else if (event.kind === "closed") {
      stage.closedReason = event.reason;
    } else {
      stage.bytes += sizeOf(event);
      stage.events.push(event);
      if (stage.bytes > limits.maxEarlyBytes) {
        logger.warn({ conn, bytes: stage.bytes }, "too much came before OnSocketCreated");
        giveUp(conn, entry);
      }
    }
  }

  function on(conn: string, entry: Entry, event: DoorEvent): void {
    const { stage } = entry;
    if (stage.name === "early") onEarly(conn, entry, stage, event);
    else if (event.kind !== "closed") door.apply(conn, event);
    else if (stage.name === "created") close(conn, entry, event.reason);
  }

  // What ended without EMQX's word has streams all the same.
  door.onOver((conn) => {
    const entry = entries.get(conn);
    if (entry?.stage.name !== "created") return;
    entry.stage = {
      name: "closing",
      cancel: clock.schedule(limits.closedGraceMs, () => end(conn, entry)),
    };
  });

  return {
    accept(stream, toEvent) {
      let mine: { readonly conn: string; readonly entry: Entry } | undefined;
      stream.onMessage((message) => {
        const { conn } = message;
        if (door.isOver(conn) && !entries.has(conn)) {
          stream.finish({});
          return;
        }
        const entry = enter(conn);
        entry.streams.add(stream);
        mine = { conn, entry };
        on(conn, entry, toEvent(message));
      });
      stream.onEnd(() => {
        // EMQX is gone, or has dropped the connection: the sweep finds out which.
        mine?.entry.streams.delete(stream);
        if (mine?.entry.streams.size === 0 && mine.entry.stage.name === "created") {
          entries.delete(mine.conn);
        }
        stream.finish({});
      });
    },
  };
}

/** What an event brings, in bytes. */
function sizeOf(event: DoorEvent): number {
  switch (event.kind) {
    case "bytes":
      return event.bytes.length;
    case "messages":
      return event.messages.reduce((sum, { payload }) => sum + payload.length, 0);
    default:
      return 0;
  }
}
