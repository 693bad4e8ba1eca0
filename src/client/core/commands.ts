/**
 * Commands other than `say`: joins, leaves, histories and lists. They are sent at once, are
 * answered in any order as far as this file goes, and are sent again after a login when they were
 * not answered: doing any of them twice does no harm.
 */
import type { ClientFrame, ServerFrameOf } from "../../codec/index.js";
import { errorCodes } from "../../errors.js";
import type { CallValue, CoreEvent, Emit, JoinOptions } from "./effect.js";
import { ChatError, codeOf } from "./error.js";
import type { Answer, Outbox, Standing } from "./outbox.js";

import type { Rooms } from "./rooms.js";
import type { Settings } from "./settings.js";

type Wanted =
  | { readonly kind: "join"; readonly room: string; readonly options: JoinOptions }
  /** Waits until what was said in the room before, up to the number, is answered. */
  | { readonly kind: "leave"; readonly room: string; readonly afterSay: number }
  | {
      readonly kind: "history";
      readonly room: string;
      readonly before: string;
      readonly limit: number;
    }
  | { readonly kind: "who"; readonly room: string };

interface Command {
  readonly ref: number;
  /** 0: the client itself wants it. */
  readonly call: number;
  readonly wanted: Wanted;
  isSent: boolean;
  /** Told to wait. */
  notBefore: number;
}

export class Commands {
  /** Not answered yet, in the order they were given. */
  private commands: Command[] = [];

  constructor(
    private readonly settings: Settings,
    private readonly rooms: Rooms,
    private readonly outbox: Outbox,
    private readonly nextRef: () => number,
    private readonly emit: Emit,
  ) {}

  /** When to send again though nothing happens, also what was said; undefined: no need. */
  get wakeAt(): number | undefined {
    const times = this.commands
      .filter(({ isSent, notBefore }) => !isSent && notBefore > 0)
      .map(({ notBefore }) => notBefore);
    if (this.outbox.wakeAt !== undefined) times.push(this.outbox.wakeAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  standing(room: string): Standing {
    const last = this.lastFor(room);
    if (last?.wanted.kind === "leave") return "out";
    return this.sayable(room);
  }

  /** Of what was said before a leave that waits for it. */
  sayable(room: string): Standing {
    if (this.rooms.isIn(room)) return "in";
    const isComing = this.commands.some(
      ({ wanted }) => wanted.kind === "join" && wanted.room === room,
    );
    return isComing || this.rooms.has(room) ? "coming" : "out";
  }

  isLeaving(room: string): boolean {
    return this.lastFor(room)?.wanted.kind === "leave";
  }

  add(asked: Extract<CoreEvent, { kind: "join" | "leave" | "history" | "who" }>): void {
    const { call, ...rest } = asked;
    if (this.commands.length >= this.settings.maxQueued) {
      const reason = `${this.settings.maxQueued} commands wait for their answers`;
      this.reject(call, new ChatError("QUEUE_FULL", reason));
      return;
    }
    const wanted: Wanted = rest.kind === "leave" ? { ...rest, afterSay: this.outbox.newest } : rest;
    this.commands.push(this.create(call, wanted));
  }

  /** Every command that is not answered is sent again, behind the joins that are due anew. */
  welcome(missing: readonly string[]): void {
    const anew = missing
      .filter((room) => this.lastFor(room) === undefined)
      // What it said last before is history already.
      .map((room) => ({ ...this.rooms.optionsOf(room), room }))
      .map(({ room, ...options }) =>
        this.create(0, { kind: "join", room, options: { ...options, history: 0 } }),
      );
    this.commands = [...anew, ...this.commands];
  }

  lost(): void {
    for (const command of this.commands) command.isSent = false;
  }

  /** Sends what may be sent; of one room, joins and leaves keep their order. */
  flush(now: number): void {
    const held = new Set<string>();
    for (const command of this.commands) {
      const { wanted } = command;
      const isMove = wanted.kind === "join" || wanted.kind === "leave";
      if (command.isSent || (isMove && held.has(wanted.room))) continue;
      const isEarly =
        command.notBefore > now ||
        (wanted.kind === "leave" && this.outbox.holds(wanted.room, wanted.afterSay));
      if (isEarly) {
        if (isMove) held.add(wanted.room);
        continue;
      }
      command.isSent = true;
      command.notBefore = 0;
      this.emit({ kind: "send", frame: frameOf(command) });
    }
  }

  onAnswer(answer: Answer, now: number): void {
    const command = this.commands.find(({ ref }) => ref === answer.ref);
    if (command === undefined) return;
    if (answer.type === "fail" && this.isTriedAgain(command, answer)) {
      const { code, retryAfterMs } = answer;
      command.isSent = false;
      command.notBefore = now + (retryAfterMs || errorCodes[codeOf(code)].retryAfterMs);
      return;
    }
    this.commands = this.commands.filter((one) => one !== command);
    const { wanted, call } = command;
    switch (answer.type) {
      case "ok":
        this.onDone(wanted, call, answer.recoverable);
        return;
      case "fail":
        this.onFail(wanted, call, answer);
        return;
      case "members":
        this.resolve(call, answer.members);
        return;
      case "page": {
        const { messages, more } = answer;
        const page = messages.map((message) => ({ type: "message" as const, ...message }));
        this.resolve(call, { messages: page, more });
        return;
      }
    }
  }

  rejectAll(error: ChatError): void {
    for (const { call } of this.commands) this.reject(call, error);
    this.commands = [];
  }

  private onDone(wanted: Wanted, call: number, recoverable: boolean): void {
    if (wanted.kind === "join") {
      this.rooms.joined(wanted.room, wanted.options);
      this.resolve(call, { recoverable });
    } else if (wanted.kind === "leave") {
      this.rooms.left(wanted.room);
      this.resolve(call, undefined);
    }
  }

  private onFail(wanted: Wanted, call: number, fail: ServerFrameOf<"fail">): void {
    const { room, kind } = wanted;
    const code = codeOf(fail.code);
    if (code === "NOT_JOINED" && kind === "leave") {
      this.onDone(wanted, call, false);
      return;
    }
    const error = new ChatError(code, fail.reason, fail.retryAfterMs);
    this.reject(call, error);
    // Nothing was changed, unless the room had to be joined anew.
    if (kind !== "join" || !this.rooms.has(room) || this.rooms.isIn(room)) return;
    this.rooms.left(room);
    if (call === 0) this.emit({ kind: "tell", event: { type: "roomLost", room, error } });
  }

  /** What a later join or leave of the room makes pointless is not tried again. */
  private isTriedAgain(command: Command, { code }: ServerFrameOf<"fail">): boolean {
    const { kind, room } = command.wanted;
    if (code === "RATE_LIMITED" && (kind === "history" || kind === "who")) return true;
    if (code !== "RATE_LIMITED" && code !== "UNAVAILABLE") return false;
    return (kind === "join" || kind === "leave") && this.lastFor(room) === command;
  }

  private lastFor(room: string): Command | undefined {
    return this.commands.findLast(
      ({ wanted }) => (wanted.kind === "join" || wanted.kind === "leave") && wanted.room === room,
    );
  }

  private create(call: number, wanted: Wanted): Command {
    return { ref: this.nextRef(), call, wanted, isSent: false, notBefore: 0 };
  }

  private resolve(call: number, value: CallValue): void {
    if (call !== 0) this.emit({ kind: "resolve", call, value });
  }

  private reject(call: number, error: ChatError): void {
    if (call !== 0) this.emit({ kind: "reject", call, error });
  }
}

function frameOf({ ref, wanted }: Command): ClientFrame {
  const { room } = wanted;
  switch (wanted.kind) {
    case "join": {
      const { qos = 1, presence = false, echo = false, history = 0 } = wanted.options;
      return { type: "join", ref, room, qos, presence, echo, history };
    }
    case "leave":
      return { type: "leave", ref, room };
    case "history":
      return { type: "history", ref, room, before: wanted.before, limit: wanted.limit };
    case "who":
      return { type: "who", ref, room };
  }
}
