/** Carries effects out. What a call comes to goes back to the protocol as an answer. */
import type { Outbox } from "../adapter/outbox.js";
import { GatewayError } from "../errors.js";
import type { Answer, Call, Effect, Link } from "../protocol.js";
import type { Runtime } from "./runtime.js";
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
  { adapter, sessions, presence, publications, clock, logger }: Runtime,
  { conn, instance }: Link,
  outbox: Outbox,
  timers: Timers,
  outcomes: EffectOutcomes,
): EffectRunner {
  let keepaliveSeconds = Infinity;
  let noted = false;
  let isOver = false;
  let client = { clientId: "", username: "" };

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
        void attempt("release", () => sessions.release(effect.clientId, effect.epoch));
        return;
      case "session.drop":
        void attempt("drop", () => sessions.drop(effect.clientId, effect.epoch));
        return;
      case "call":
        void answer(effect.id, effect.call);
        return;
    }
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
        client = call;
        outcomes.authenticated(call.clientId);
        return { ...done, name, value: undefined };
      case "subscribe":
        await outbox.call(() => adapter.subscribe(conn, call.topic, call.qos));
        return { ...done, name, value: undefined };
      case "unsubscribe":
        await outbox.call(() => adapter.unsubscribe(conn, call.topic));
        return { ...done, name, value: undefined };
      case "publish":
        publications.note(client.clientId, client.username, call.topic, call.payload);
        await outbox.call(() => adapter.publish(conn, call.topic, call.qos, call.payload));
        return { ...done, name, value: undefined };
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
    }
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
