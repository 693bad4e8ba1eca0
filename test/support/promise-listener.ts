/** One client of the model: it talks, and holds what it hears against what is promised. */
import type { LogEntry } from "../../src/store/index.js";
import { settled } from "./fake-clock.js";
import type { Client, Frame, World } from "./world.js";

export interface Listener {
  say(room: string, text: string, qos: number, key: string): Promise<void>;
  retry(nth: number): Promise<void>;
  join(room: string, qos: number, history: number): Promise<void>;
  leave(room: string): Promise<void>;
  /** Acknowledges so many more of the messages that it has heard. False: there was none. */
  ack(count: number): Promise<boolean>;
  hangUp(isUnsaved: boolean): Promise<void>;
  /** What was heard in the last `unkeptMs` may come again. */
  crash(world: World, unkeptMs: number): void;
  resume(world: World, tells: "exactly" | "less" | "nothing"): Promise<void>;
  /** True when there was something to hear. */
  listen(): Promise<boolean>;
  /** The room's log has lost what was behind `kept`; so many things were said until then, anywhere. */
  forgotten(room: string, kept: number, said: number): void;
  /** After all is said and heard. */
  judge(kept: ReadonlyMap<string, readonly LogEntry[]>): void;
  /** The same, and something has come in every room since the last loss. */
  judgeLosses(): void;
}

interface Message {
  readonly seq?: string;
  readonly room: string;
  readonly id: string;
  readonly text: string;
  readonly qos?: number;
  readonly offset?: string;
}

interface Said {
  readonly room: string;
  readonly text: string;
  readonly qos: number;
  readonly key: string;
}

type Command =
  | { readonly kind: "say"; readonly said: Said }
  | { readonly kind: "join"; readonly room: string; readonly qos: number }
  | { readonly kind: "leave"; readonly room: string };

/** A room as it is joined: whatever is behind `since` in its log is to be heard. */
interface Joined {
  readonly qos: number;
  readonly since: number;
}

export interface ListenerOptions {
  readonly ackWindow: number;
  /** The last offset of a room's log. */
  readonly lastOf: (room: string) => number;
  readonly now: () => number;
  /** How many things were said, anywhere. */
  readonly saidSoFar: () => number;
  /** The store: what ends now is not kept as it is. */
  readonly isAway: () => boolean;
  /** The broker has lost or delayed it on its way to someone. */
  readonly hasStrayed: (id: string) => boolean;
  readonly complain: (what: string) => void;
}

export function createListener(
  clientId: string,
  { ackWindow, now, lastOf, saidSoFar, isAway, hasStrayed, complain }: ListenerOptions,
): Listener {
  let client: Client | undefined;
  let ref = 0;
  const commands = new Map<number, Command>();
  const keyed: Said[] = [];
  const oks = new Map<string, { readonly id: string; readonly offset: number }>();
  const rooms = new Map<string, Joined>();
  const left = new Set<string>();
  /** By id, over all connections; the value is the count. */
  const heard = new Map<string, number>();
  const heardAt = new Map<string, number>();
  const heardEarly = new Set<string>();
  let lastSeq = 0;
  let ackedSeq = 0;
  /** Seqs of what was heard, to count the window. */
  let open: number[] = [];
  /** The seq the next message has; undefined: that is told by the message. */
  let nextSeq: number | undefined = 1;
  let offsets = new Map<string, number>();
  let caughtUp = new Map<string, number>();
  /** What was heard before may come again. */
  let mayRepeat = new Set<string>();
  /** The same, whatever its qos. */
  let isHistory = new Set<string>();
  /** The number of what was heard last from MQTT, by room. */
  const told = new Map<string, number>();
  /** What was said up to here may be stored anew when it is delivered late, and comes again then. */
  let forgottenTo = 0;
  /** What was said up to here may have waited for the store, unknown to this connection. */
  let missedTo = 0;
  /** How often the offsets of a room may go back. */
  const goesBack = new Map<string, number>();
  /** Rooms of which a loss is to be told, and those of which it may be. */
  const owesLoss = new Set<string>();
  const mayTellLoss = new Set<string>();
  const toldLoss = new Set<string>();
  /** Rooms whose join or leave was not answered. */
  const uncertain = new Set<string>();
  let highestSeq = 0;
  /** Rooms of which caughtUp is to be told. */
  let owed = new Set<string>();

  async function send(command: Command, frame: (ref: number) => Frame): Promise<void> {
    if (client === undefined) return;
    ref += 1;
    commands.set(ref, command);
    await client.sends(frame(ref));
  }

  function onMessage(message: Message): void {
    const { room, id, qos = 0 } = message;
    const seq = Number(message.seq ?? 0);
    const offset = Number(message.offset ?? 0);
    const name = `${room}@${offset} ${message.text} (seq ${seq}, qos ${qos})`;
    if (left.has(room)) complain(`${name}: of a room that was left`);
    if (qos > 0) {
      if (nextSeq !== undefined && seq !== nextSeq) complain(`${name}: seq is not ${nextSeq}`);
      if (nextSeq === undefined && seq > highestSeq + 1) complain(`${name}: seq leaps`);
      nextSeq = seq + 1;
      lastSeq = seq;
      highestSeq = Math.max(highestSeq, seq);
      open.push(seq);
      if (open.length > ackWindow) complain(`${name}: the window is exceeded`);
    } else if (seq !== 0) complain(`${name}: a seq at qos 0`);
    if (offset > 0) {
      if (offset <= (offsets.get(room) ?? 0)) {
        const times = goesBack.get(room) ?? 0;
        if (times === 0) complain(`${name}: out of order`);
        goesBack.set(room, times - 1);
      }
      offsets.set(room, offset);
    } else heardEarly.add(id);
    // "mqtt 7", "said 7"
    const [by, number] = message.text.split(" ");
    const isForgotten = Number(number) <= forgottenTo;
    if (by === "mqtt" && !heard.has(id)) {
      const isBehind = Number(number) > missedTo && Number(number) < (told.get(room) ?? 0);
      if (isBehind && !isForgotten && !hasStrayed(id)) {
        complain(`${name}: behind what was said later`);
      }
      told.set(room, Math.max(told.get(room) ?? 0, Number(number)));
    }
    const times = (heard.get(id) ?? 0) + 1;
    heard.set(id, times);
    heardAt.set(id, now());
    const isExcused = isForgotten || isHistory.has(id) || (qos > 0 && mayRepeat.has(id));
    if (times > 1 && !isExcused) complain(`${name}: once more`);
  }

  function onOk(answered: Frame): void {
    const number = Number(answered.ref);
    const command = commands.get(number);
    commands.delete(number);
    if (command?.kind === "say") {
      const { text, qos } = command.said;
      const at = { id: String(answered.id), offset: Number(answered.offset ?? 0) };
      const before = oks.get(text);
      if (before !== undefined && before.id !== at.id && at.offset > 0 && before.offset > 0) {
        complain(`${text}: another ok`);
      }
      if (qos > 0 && at.offset === 0) complain(`${text}: ok without a place`);
      if (at.offset > 0) oks.set(text, at);
    } else if (command?.kind === "join") {
      left.delete(command.room);
      const known = rooms.get(command.room);
      if (command.qos === 0 && owesLoss.delete(command.room)) mayTellLoss.add(command.room);
      const goesOn = known !== undefined && known.qos > 0 && command.qos > 0;
      const since = goesOn ? known.since : lastOf(command.room);
      rooms.set(command.room, { qos: command.qos, since });
    } else if (command?.kind === "leave") {
      rooms.delete(command.room);
      left.add(command.room);
      owesLoss.delete(command.room);
      owed.delete(command.room);
      offsets.delete(command.room);
    }
  }

  function onFail(refused: Frame): void {
    const command = commands.get(Number(refused.ref));
    commands.delete(Number(refused.ref));
    if (command?.kind === "join" && !rooms.has(command.room)) left.add(command.room);
  }

  function onFrame(frame: Frame): void {
    if (frame.fail !== undefined) onFail(frame.fail as Frame);
    if (frame.message !== undefined) onMessage(frame.message as Message);
    if (frame.ok !== undefined) onOk(frame.ok as Frame);
    if (frame.welcome !== undefined) onWelcome(frame.welcome as Frame);
    if (frame.caughtUp !== undefined) {
      const { room = "", complete } = frame.caughtUp as { room?: string; complete?: boolean };
      caughtUp.set(room, (caughtUp.get(room) ?? 0) + 1);
      const isAtMostOnce = rooms.get(room)?.qos === 0;
      const isLoss = complete !== true;
      const isDue = isLoss && (owesLoss.delete(room) || mayTellLoss.has(room));
      if (isLoss && !isDue && !isAtMostOnce) complain(`${room}: a loss was told`);
      if (isDue) {
        toldLoss.add(room);
        // Not only after a resume.
        caughtUp.set(room, 1);
      } else if (caughtUp.get(room) !== 1) complain(`${room}: caughtUp more than once`);
    }
  }

  function onWelcome(welcome: Frame): void {
    const resumed = new Set((welcome.rooms ?? []) as readonly string[]);
    owed = new Set(resumed);
    for (const room of [...rooms.keys()]) {
      if (resumed.has(room)) continue;
      if (!uncertain.has(room)) complain(`${room}: lost with a resume`);
      rooms.delete(room);
      left.add(room);
    }
    for (const room of resumed) {
      if (left.has(room) && !uncertain.has(room)) complain(`${room}: came back with a resume`);
      left.delete(room);
      // Of what it was joined with nothing is known: so nothing is asked of it.
      if (uncertain.has(room)) rooms.set(room, { qos: 0, since: 0 });
    }
    uncertain.clear();
  }

  function hungUp(): void {
    client = undefined;
    // The session goes back before a loss that could not be told.
    if (owesLoss.size + mayTellLoss.size > 0) for (const id of heard.keys()) mayRepeat.add(id);
    // Unless that was kept.
    for (const room of toldLoss) mayTellLoss.add(room);
    for (const command of commands.values()) {
      if (command.kind !== "say") uncertain.add(command.room);
    }
    commands.clear();
  }

  return {
    say(room, text, qos, key) {
      const said = { room, text, qos, key };
      if (key !== "" && client !== undefined && rooms.has(room)) keyed.push(said);
      return send({ kind: "say", said }, (number) => ({ say: { ref: number, ...said } }));
    },
    async retry(nth) {
      const said = keyed.at(-1 - nth);
      if (said === undefined) return;
      await send({ kind: "say", said }, (number) => ({ say: { ref: number, ...said } }));
    },
    join: (room, qos, history) =>
      // A join with a history brings what was heard before.
      send({ kind: "join", room, qos }, (number) => {
        if (left.has(room)) {
          offsets.delete(room);
          missedTo = saidSoFar();
          isHistory = new Set(heard.keys());
        }
        left.delete(room);
        return { join: { ref: number, room, qos, history: rooms.has(room) ? 0 : history } };
      }),
    leave: (room) => send({ kind: "leave", room }, (number) => ({ leave: { ref: number, room } })),
    async ack(count) {
      if (!client?.isOpen) return false;
      const seq = Math.min(lastSeq, ackedSeq + count);
      if (seq <= ackedSeq) return false;
      ackedSeq = seq;
      open = open.filter((other) => other > seq);
      await client.sends({ ack: { seq: String(seq) } });
      return true;
    },
    async hangUp(isUnsaved) {
      await this.listen();
      if (isUnsaved) mayRepeat = new Set(heard.keys());
      await client?.hangsUp();
      hungUp();
    },
    crash(world, unkeptMs) {
      if (client === undefined) return;
      for (const [id, at] of heardAt) if (now() - at <= unkeptMs) mayRepeat.add(id);
      world.adapter.vanish(client.conn);
      hungUp();
    },
    async resume(world, tells) {
      if (client !== undefined) return;
      const told = tells === "exactly" ? lastSeq : tells === "less" ? Math.max(0, lastSeq - 2) : 0;
      if (tells !== "exactly") mayRepeat = new Set(heard.keys());
      // What came before it was in the log is not known to be heard after a resume.
      for (const id of heardEarly) isHistory.add(id);
      lastSeq = told;
      client = world.connect();
      missedTo = saidSoFar();
      nextSeq = undefined;
      open = [];
      ackedSeq = told;
      offsets = new Map();
      caughtUp = new Map();
      await client.sends({ hello: { clientId, resume: true, lastSeq: String(told) } });
      await settled();
    },
    forgotten(room, kept, said) {
      forgottenTo = said;
      goesBack.set(room, (goesBack.get(room) ?? 0) + 1);
      oks.clear();
      const joined = rooms.get(room);
      // A join that is under way may have seen the log before.
      if ([...commands.values()].some((one) => one.kind === "join" && one.room === room)) {
        mayTellLoss.add(room);
      }
      if (joined === undefined) return;
      rooms.set(room, { ...joined, since: Math.min(joined.since, kept) });
      // At qos 0 nothing need be told; of two losses it may be told once or twice.
      if (joined.qos === 0 || owesLoss.has(room)) mayTellLoss.add(room);
      if (joined.qos > 0) owesLoss.add(room);
    },
    async listen() {
      const frames = client?.hears() ?? [];
      for (const frame of frames) onFrame(frame);
      await settled();
      if (client?.isOpen === false) {
        if (isAway()) mayRepeat = new Set(heard.keys());
        hungUp();
      }
      return frames.length > 0;
    },
    judgeLosses() {
      for (const room of owesLoss) {
        if ((rooms.get(room)?.qos ?? 0) > 0) complain(`${room}: a loss was not told`);
      }
    },
    judge(kept) {
      if (client === undefined) complain("is not connected at the end");
      for (const [room, { qos, since }] of rooms) {
        if (owed.has(room) && caughtUp.get(room) !== 1) {
          complain(`${room}: caughtUp ${caughtUp.get(room) ?? 0} times`);
        }
        if (qos === 0) continue;
        for (const entry of kept.get(room) ?? []) {
          const isOwn = entry.from === clientId;
          if (entry.qos === 0 || entry.offset <= since || isOwn || heard.has(entry.id)) continue;
          complain(`${room}@${entry.offset} ${Buffer.from(entry.payload).toString()}: was missed`);
        }
      }
      for (const [text, { id }] of oks) {
        const all = [...kept.values()].flat();
        // Its answer may have been under way when it was lost.
        if (Number(text.split(" ")[1]) <= forgottenTo) continue;
        if (!all.some((entry) => entry.id === id)) complain(`${text}: ok, and in no log`);
      }
    },
  };
}
