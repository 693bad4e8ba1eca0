/** The core, a simulated server, and a network between them that loses what is under way. */
import type { ClientFrame, ServerFrame } from "../../../src/codec/index.js";
import { Conversation } from "../../../src/client/core/conversation.js";
import type {
  CallValue,
  ChatEvent,
  ChatMessage,
  CoreEvent,
  TimerName,
} from "../../../src/client/core/effect.js";
import type { ChatError } from "../../../src/client/core/error.js";
import { defaultSettings, type Settings } from "../../../src/client/core/settings.js";
import { ROOM, SimulatedServer } from "./simulated-server.js";

export type Action =
  | { readonly do: "upstream" | "downstream" | "take"; readonly count: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "publish" | "say" | "cut" | "save" | "crash" | "expire" | "restart" }
  | {
      readonly do: "refuse";
      readonly code: "UNAVAILABLE" | "RATE_LIMITED";
      readonly isLogged: boolean;
    };

export class Simulation {
  readonly server = new SimulatedServer();
  /** What the app has taken over, in order. */
  readonly taken: ChatMessage[] = [];
  readonly told: ChatEvent[] = [];
  readonly answers = new Map<number, (CallValue | ChatError)[]>();
  /** The calls of say, and what was said. */
  readonly said = new Map<number, string>();
  private settings: Settings = { ...defaultSettings, ackEvery: 3, random: () => 0.5 };
  private core = new Conversation(this.settings);
  private readonly timers = new Map<TimerName, number>();
  private upstream: ClientFrame[] = [];
  private downstream: ServerFrame[] = [];
  private inHand: { readonly message: ChatMessage; readonly token: number }[] = [];
  private isOpen = false;
  private now = 1_000;
  private lastCall = 0;
  private lastSaid = 0;

  constructor() {
    this.call((call) => ({ kind: "connect", call }));
    this.call((call) => ({ kind: "join", call, room: ROOM, options: { echo: true } }));
  }

  run(action: Action): void {
    switch (action.do) {
      case "upstream":
        for (const frame of this.upstream.splice(0, action.count)) {
          this.downstream.push(...this.server.receive(frame));
        }
        return;
      case "downstream":
        for (let i = 0; i < action.count; i += 1) {
          const frame = this.downstream.shift();
          if (frame !== undefined) this.handle({ kind: "frame", frame });
        }
        return;
      case "take":
        for (const { message, token } of this.inHand.splice(0, action.count)) {
          this.taken.push(message);
          this.handle({ kind: "taken", token });
        }
        return;
      case "wait": {
        this.wait(action.ms);
        return;
      }
      case "publish":
        this.lastSaid += 1;
        this.server.publish(`other-${this.lastSaid}`);
        this.downstream.push(...this.server.feed());
        return;
      case "say":
        this.lastSaid += 1;
        this.say(`said-${this.lastSaid}`);
        return;
      case "cut":
        this.server.disconnected();
        this.cut();
        return;
      case "save": {
        this.server.save();
        return;
      }
      case "crash":
        this.server.crash();
        this.cut();
        return;
      case "expire":
        this.server.expire();
        this.cut();
        return;
      case "refuse":
        this.server.refusals.push(action);
        return;
      case "restart": {
        this.restart();
        return;
      }
    }
  }

  /** Until nothing happens any more. */
  settle(): void {
    for (let round = 0; round < 400; round += 1) {
      for (const direction of ["upstream", "downstream", "take"] as const) {
        this.run({ do: direction, count: 100 });
      }
      this.wait(100);
    }
  }

  /** The app begins anew, with what it has saved and without what it has not taken over. */
  private restart(): void {
    if (this.core.queued > 0) return;
    this.server.disconnected();
    const saved = JSON.parse(JSON.stringify(this.core.save())) as Settings["saved"];
    this.settings = { ...this.settings, saved };
    this.core = new Conversation(this.settings);
    this.timers.clear();
    this.inHand = [];
    this.upstream = [];
    this.downstream = [];
    this.isOpen = false;
    this.call((call) => ({ kind: "connect", call }));
    this.call((call) => ({ kind: "join", call, room: ROOM, options: { echo: true } }));
  }

  private say(text: string): void {
    const call = this.lastCall + 1;
    this.said.set(call, text);
    this.call(() => ({
      kind: "say",
      call,
      to: { room: ROOM },
      content: { text },
      qos: 2,
      key: `key-${call}`,
      sizeBytes: 100,
    }));
  }

  private call(toEvent: (call: number) => CoreEvent): void {
    this.lastCall += 1;
    this.answers.set(this.lastCall, []);
    this.handle(toEvent(this.lastCall));
  }

  private cut(): void {
    this.upstream = [];
    this.downstream = [];
    if (!this.isOpen) return;
    this.isOpen = false;
    this.handle({ kind: "lost", reason: "cut" });
  }

  private wait(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [next] = [...this.timers].sort(([, a], [, b]) => a - b);
      if (next === undefined || next[1] > end) break;
      this.timers.delete(next[0]);
      this.now = Math.max(this.now, next[1]);
      this.handle({ kind: "timer", name: next[0] });
    }
    this.now = end;
  }

  private handle(event: CoreEvent): void {
    let hasOpened = false;
    for (const effect of this.core.handle(event, this.now)) {
      switch (effect.kind) {
        case "open":
          hasOpened = true;
          break;
        case "close":
          this.isOpen = false;
          this.upstream = [];
          this.downstream = [];
          this.server.disconnected();
          break;
        case "send":
          this.upstream.push(effect.frame);
          break;
        case "timer.set":
          this.timers.set(effect.name, effect.at);
          break;
        case "timer.clear":
          this.timers.delete(effect.name);
          break;
        case "tell":
          if (effect.event.type === "message") {
            this.inHand.push({ message: effect.event, token: effect.token ?? 0 });
          } else this.told.push(effect.event);
          break;
        case "resolve":
          this.answers.get(effect.call)?.push(effect.value);
          break;
        case "reject":
          this.answers.get(effect.call)?.push(effect.error);
          break;
        case "end":
          break;
      }
    }
    if (!hasOpened) return;
    this.isOpen = true;
    this.handle({ kind: "opened" });
  }
}
