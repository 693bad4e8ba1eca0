/** Carries effects out. What a call comes to goes back to the protocol as an answer. */
import type { Outbox } from "../adapter/outbox.js";
import { GatewayError } from "../errors.js";
import type { RoomLogs } from "../log/index.js";
import type { Answer, Call, Effect, Link } from "../protocol.js";
import { createPublisher } from "./publisher.js";
import type { Runtime } from "./runtime.js";
import type { SessionRecord } from "../store/records.js";
import type { Timers } from "./timers.js";

export interface EffectRunner {
  run(effect: Effect): void;
  /** Of the last `keepalive` effect; Infinity before the first. */
  readonly keepaliveSeconds: number;
  /** The connection is over: what is meant for it alone is dropped. */
  end(): void;
}

export interface EffectOutcomes {
  answer(answer: Answer): void;
  authenticated(clientId: string): void;
  /** Close was asked for. */
  closing(): void;
  /** EMQX no longer has the connection. */
  gone(): void;
}

export function createEffectRunner(
  runtime: Runtime,
  link: Link,
  outbox: Outbox,
  timers: Timers,
  outcomes: EffectOutcomes,
): EffectRunner {
  const { adapter, sessions, presence, log, counters, clock, logger } = runtime;
  const { conn, instance } = link;
  const publisher = createPublisher(runtime, link, outbox);
  let keepaliveSeconds = Infinity;
  let noted = false;
  let isOver = false;

  function run(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        outbox.send(effect.bytes);
        return;
      case "close":
        outcomes.closing();
        void attempt("Close", () => outbox.call(() => adapter.close(conn)));
        return;
      case "keepalive":
        keepaliveSeconds = effect.seconds;
        void attempt("StartTimer", () =>
          outbox.call(() => adapter.startTimer(conn, effect.seconds)),
        );
        return;
      case "timer.set":
        timers.set(effect.name, effect.at);
        return;
      case "timer.clear":
        timers.clear(effect.name);
        return;
      case "note":
        noted = true;
        void attempt("note", () => sessions.note(conn, effect.text));
        return;
      case "presence.leave":
        presence.leave(instance, effect.rooms);
        return;
      case "session.release":
        void attempt("release", () => release(effect.record));
        return;
      case "session.drop":
        void attempt("drop", () => sessions.drop(effect.clientId, effect.epoch));
        return;
      case "dropped":
        counters.droppedMessages += effect.messages;
        return;
      case "call":
        void answer(effect.id, effect.call);
        return;
    }
  }

  async function release(record: SessionRecord): Promise<void> {
    if (await sessions.save(record)) await sessions.release(record.clientId, record.epoch);
  }

  /** What nobody waits for: its failure is only logged. */
  async function attempt(what: string, start: () => Promise<unknown>): Promise<void> {
    try {
      await start();
    } catch (error) {
      if (error instanceof GatewayError && error.gone) outcomes.gone();
      else logger.warn({ err: error, conn }, `${what} failed`);
    }
  }

  async function answer(id: number, call: Call): Promise<void> {
    try {
      outcomes.answer(await perform(id, call));
    } catch (cause) {
      const error = GatewayError.from(cause);
      if (error.code === "INTERNAL") logger.error({ err: cause, conn, call: call.name }, "a bug");
      const { code, reason, retryAfterMs } = error;
      outcomes.answer({
        kind: "answer",
        id,
        ok: false,
        name: call.name,
        code,
        reason,
        retryAfterMs,
      });
      if (error.gone) outcomes.gone();
    }
  }

  async function perform(id: number, call: Call): Promise<Answer> {
    const done = { kind: "answer", id, ok: true } as const;
    const { name } = call;
    switch (name) {
      case "authenticate":
        await outbox.call(() => adapter.authenticate(conn, call));
        publisher.client = call;
        outcomes.authenticated(call.clientId);
        return { ...done, name, value: undefined };
      case "subscribe":
        await outbox.call(() => adapter.subscribe(conn, call.topic, call.qos));
        return { ...done, name, value: undefined };
      case "unsubscribe":
        await outbox.call(() => adapter.unsubscribe(conn, call.topic));
        return { ...done, name, value: undefined };
      case "publish":
        return { ...done, name, value: await publisher.publish(call) };
      case "session.take": {
        const value = await sessions.take(call.clientId, call.username);
        // Nobody is left to hold what was taken.
        if (isOver) void attempt("release", () => sessions.release(call.clientId, value.epoch));
        return { ...done, name, value };
      }
      case "session.save":
        if (await sessions.save(call.record)) return { ...done, name, value: undefined };
        throw new GatewayError("TAKEN_OVER", "the session goes on at a newer connection");
      case "presence.join": {
        const since = clock.now();
        await presence.join({ ...call.member, since, room: call.room, instance });
        return { ...done, name, value: undefined };
      }
      case "presence.list":
        return { ...done, name, value: await presence.list(call.room) };
      case "log.open":
        return { ...done, name, value: await logOf(call.topic)?.open(call.topic) };
      case "log.read": {
        const kept = logOf(call.topic);
        if (kept === undefined) throw new GatewayError("UNSUPPORTED", "the topic has no log");
        return { ...done, name, value: await kept.read(call) };
      }
      case "log.history": {
        const { topic, before, limit } = call;
        return { ...done, name, value: await logOf(topic)?.history(topic, before, limit) };
      }
    }
  }

  function logOf(topic: string): RoomLogs | undefined {
    return log?.keeps(topic) === true ? log : undefined;
  }

  return {
    run,
    get keepaliveSeconds() {
      return keepaliveSeconds;
    },
    end() {
      isOver = true;
      outbox.drop();
      if (noted) void attempt("forget", () => sessions.forget(conn));
    },
  };
}
