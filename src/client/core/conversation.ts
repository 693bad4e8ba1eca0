/**
 * The core of the client: what happens goes in, what is to be done comes out, as plain data. No
 * timer, clock, socket or promise: time is an argument, all else an effect.
 *
 * link.ts has the connection. What is kept over connections is in intake.ts (what came and was taken
 * over), outbox.ts (what was said), commands.ts and rooms.ts. A `bye` that says not to come back
 * ends it all.
 */
import type { ServerFrame, ServerFrameOf } from "../../codec/index.js";
import { errorCodes } from "../../errors.js";
import { Acks } from "./acks.js";
import { Commands } from "./commands.js";
import type { CoreEvent, Effect, SavedState, TimerName } from "./effect.js";
import { ChatError, closed, codeOf } from "./error.js";
import { Intake } from "./intake.js";
import { Link, type Phase } from "./link.js";
import { Outbox, type Answer } from "./outbox.js";
import { Rooms } from "./rooms.js";
import { helloOf, type Settings } from "./settings.js";

export class Conversation {
  private clientId: string;
  private session: string;
  /** Calls of connect that wait for `welcome`. */
  private connecting: number[] = [];
  /** When the timer "resend" fires. */
  private resendAt: number | undefined;
  private lastRef = 0;
  private now = 0;
  private effects: Effect[] = [];
  private readonly link: Link;
  private readonly intake: Intake;
  private readonly acks: Acks;
  private readonly rooms: Rooms;
  private readonly outbox: Outbox;
  private readonly commands: Commands;

  constructor(private readonly settings: Settings) {
    const { saved } = settings;
    const emit = (effect: Effect) => this.emit(effect);
    const nextRef = () => (this.lastRef += 1);
    // What was saved before the server had given one has none.
    const isNamed = saved !== undefined && saved.clientId !== "";
    this.clientId = isNamed ? saved.clientId : settings.clientId;
    this.session = saved?.session ?? "";
    this.link = new Link(settings, emit);
    this.intake = new Intake(settings.maxSeen, saved?.lastSeq ?? 0, saved?.seen ?? []);
    this.acks = new Acks(settings, this.intake, emit);
    this.rooms = new Rooms(saved?.rooms ?? [], emit);
    this.outbox = new Outbox(settings, nextRef, emit);
    this.commands = new Commands(settings, this.rooms, this.outbox, nextRef, emit);
  }

  get phase(): Phase {
    return this.link.phase;
  }

  /** Says that wait to be sent or answered. */
  get queued(): number {
    return this.outbox.size;
  }

  save(): SavedState {
    return {
      clientId: this.clientId,
      // What an ended session brought and was not taken over does not come again: who restarts takes up
      // another session than this one, and is told the gap.
      session: this.intake.firstOpenSession ?? this.session,
      lastSeq: this.intake.lastSeq,
      seen: this.intake.seen,
      rooms: this.rooms.saved((room) => this.intake.firstOpen(room)),
    };
  }

  /** Never throws. */
  handle(event: CoreEvent, now: number): readonly Effect[] {
    this.effects = [];
    this.now = now;
    if (this.link.error === undefined) this.step(event, now);
    else if ("call" in event) this.reject(event.call, this.link.error);
    this.sendWaiting(now);
    return this.effects;
  }

  private step(event: CoreEvent, now: number): void {
    switch (event.kind) {
      case "connect": {
        this.onConnect(event.call, now);
        return;
      }
      case "disconnect": {
        this.onDisconnect();
        return;
      }
      case "close": {
        this.onClose(now);
        return;
      }
      case "opened":
        if (this.link.opened()) this.sayHello();
        return;
      case "frame": {
        this.onFrame(event.frame, now);
        return;
      }
      case "lost":
        if (this.phase === "leaving") {
          this.end(closed());
          return;
        }
        this.away(event.reason, 0, now);
        return;
      case "timer": {
        this.onTimer(event.name, now);
        return;
      }
      case "taken":
        this.intake.take(event.token);
        if (this.phase === "online") this.acks.update(now);
        return;
      case "say": {
        this.outbox.add(
          event,
          event.to.room === undefined ? "in" : this.commands.standing(event.to.room),
        );
        return;
      }
      case "join":
      case "leave":
      case "history":
      case "who": {
        this.commands.add(event);
        return;
      }
    }
  }

  private onConnect(call: number, now: number): void {
    if (this.phase === "online") {
      this.emit({ kind: "resolve", call, value: undefined });
      return;
    }
    if (this.phase === "leaving") {
      this.reject(call, closed());
      return;
    }
    this.connecting.push(call);
    if (this.phase === "idle") this.link.open(now);
  }

  private sayHello(): void {
    this.intake.hello();
    this.emit({ kind: "send", frame: helloOf(this.settings, this.save()) });
  }

  private onFrame(frame: ServerFrame, now: number): void {
    this.link.received();
    if (frame.type === "bye") {
      this.onBye(frame, now);
      return;
    }
    if (this.phase === "greeting" && frame.type === "welcome") {
      this.onWelcome(frame, now);
      return;
    }
    if (this.phase !== "online") return;
    switch (frame.type) {
      case "message": {
        this.onMessage(frame, now);
        return;
      }
      case "presence": {
        this.emit({ kind: "tell", event: frame });
        return;
      }
      case "caughtUp": {
        this.rooms.onCaughtUp(frame);
        return;
      }
      case "ok":
      case "fail":
      case "members":
      case "page":
        this.onAnswer(frame, now);
        return;
      case "welcome":
      case "pong":
        return;
    }
  }

  private onAnswer(answer: Answer, now: number): void {
    if (answer.type === "fail" && answer.ref === 0) this.acks.refused(answer, now);
    else if (!this.outbox.onAnswer(answer, now)) this.commands.onAnswer(answer, now);
  }

  private onWelcome(welcome: ServerFrameOf<"welcome">, now: number): void {
    const { clientId, session, resumed, rooms, keepalive, maxFrameBytes } = welcome;
    const isSame = this.session === "" || (resumed && session === this.session);
    this.clientId = clientId;
    this.session = session;
    this.link.welcome(keepalive, now);
    this.intake.welcome(resumed, session);
    this.outbox.welcome(maxFrameBytes);
    this.emit({ kind: "tell", event: { type: "connected", clientId, resumed, rooms } });
    if (!isSame && this.settings.username !== "") {
      this.emit({ kind: "tell", event: { type: "gap", from: 0, to: 0 } });
    }
    const isLeaving = (room: string) => this.commands.isLeaving(room);
    this.commands.welcome(this.rooms.welcome(welcome, isSame, isLeaving));
    for (const call of this.connecting.splice(0)) {
      this.emit({ kind: "resolve", call, value: undefined });
    }
  }

  private onMessage(message: ServerFrameOf<"message">, now: number): void {
    const token = this.intake.receive(message);
    // A repetition of what was taken over moves `lastSeq` on.
    if (token === undefined) {
      this.acks.update(now);
      return;
    }
    this.rooms.onMessage(message);
    this.emit({ kind: "tell", event: message, token });
  }

  private onTimer(name: TimerName, now: number): void {
    switch (name) {
      case "retry": {
        this.link.onRetryTimer(now);
        return;
      }
      case "login": {
        const seconds = this.settings.loginTimeoutMs / 1_000;
        this.giveUp(`the server did not let us in within ${seconds} s`, 0, now);
        return;
      }
      case "ack": {
        this.acks.onTimer();
        return;
      }
      case "ping": {
        this.link.onPingTimer(now);
        return;
      }
      case "quiet": {
        this.giveUp("the server did not answer a ping", 0, now);
        return;
      }
      case "resend":
        this.resendAt = undefined;
        return;
      case "leaving": {
        this.end(closed());
        return;
      }
    }
  }

  private onBye({ code: wireCode, reason, retryAfterMs }: ServerFrameOf<"bye">, now: number): void {
    if (this.phase === "leaving") return;
    const code = codeOf(wireCode);
    const { reconnect, retryAfterMs: usualMs } = errorCodes[code];
    const error = new ChatError(code, reason, retryAfterMs || usualMs);
    if (reconnect) this.giveUp(error.message, error.retryAfterMs, now);
    else this.fail(error);
  }

  /** The connection is of no use any more. */
  private giveUp(reason: string, retryAfterMs: number, now: number): void {
    this.emit({ kind: "close" });
    this.away(reason, retryAfterMs, now);
  }

  private away(reason: string, retryAfterMs: number, now: number): void {
    this.cutOff();
    if (this.link.away(reason, retryAfterMs, now)) return;
    this.fail(new ChatError("UNAVAILABLE", `gave up: ${reason}`));
  }

  /** What was sent and not answered is to be sent again. */
  private cutOff(): void {
    this.acks.stop();
    this.outbox.lost();
    this.commands.lost();
  }

  private onDisconnect(): void {
    if (this.phase === "leaving") return;
    if (this.phase === "online") this.acks.send();
    this.cutOff();
    this.link.stop();
    for (const call of this.connecting.splice(0)) this.reject(call, closed());
  }

  private onClose(now: number): void {
    if (this.phase === "leaving") return;
    if (this.phase !== "online") {
      this.end(closed());
      return;
    }
    this.acks.stop();
    this.link.leave(now);
    this.rejectAll(closed());
  }

  private fail(error: ChatError): void {
    this.emit({ kind: "tell", event: { type: "fatal", error } });
    this.end(error);
  }

  private end(error: ChatError): void {
    this.cutOff();
    this.link.end(error);
    this.rejectAll(error);
  }

  private rejectAll(error: ChatError): void {
    for (const call of this.connecting.splice(0)) this.reject(call, error);
    this.commands.rejectAll(error);
    this.outbox.rejectAll(error);
  }

  /** Whatever happened, something may now be sent that could not be before. */
  private sendWaiting(now: number): void {
    if (this.phase === "online") {
      this.outbox.pump(now, (room) => this.commands.sayable(room));
      this.commands.flush(now);
    }
    const wakeAt = this.phase === "online" ? this.commands.wakeAt : undefined;
    if (wakeAt === this.resendAt) return;
    this.resendAt = wakeAt;
    this.emit(
      wakeAt === undefined
        ? { kind: "timer.clear", name: "resend" }
        : { kind: "timer.set", name: "resend", at: wakeAt },
    );
  }

  private reject(call: number, error: ChatError): void {
    this.emit({ kind: "reject", call, error });
  }

  private emit(effect: Effect): void {
    if (effect.kind === "send") this.link.sent(this.now);
    this.effects.push(effect);
  }
}
