/** The rooms that the app has joined, and what a login means for them. */
import type { ServerFrameOf } from "../../codec/index.js";
import type { ChatMessage, Emit, JoinOptions, SavedRoom } from "./effect.js";

interface Room {
  readonly options: JoinOptions;
  /** Of the last message that came; 0 for none. */
  readonly offset: number;
  /** False until it is joined again in a new session. */
  readonly isIn: boolean;
}

export class Rooms {
  private readonly rooms: Map<string, Room>;

  constructor(
    saved: readonly SavedRoom[],
    private readonly emit: Emit,
  ) {
    this.rooms = new Map(
      saved.map(({ room, options, offset }) => [room, { options, offset, isIn: false }]),
    );
  }

  has(room: string): boolean {
    return this.rooms.has(room);
  }

  isIn(room: string): boolean {
    return this.rooms.get(room)?.isIn ?? false;
  }

  optionsOf(room: string): JoinOptions {
    return this.rooms.get(room)?.options ?? {};
  }

  /** @param firstOpen the offset of the first message of a room that the app has not taken over. */
  saved(firstOpen: (room: string) => number | undefined): readonly SavedRoom[] {
    return [...this.rooms].map(([room, { options, offset }]) => {
      const open = firstOpen(room);
      return { room, options, offset: open === undefined ? offset : open - 1 };
    });
  }

  joined(room: string, options: JoinOptions): void {
    const offset = this.rooms.get(room)?.offset ?? 0;
    this.rooms.set(room, { options, offset, isIn: true });
  }

  left(room: string): void {
    this.rooms.delete(room);
  }

  onMessage({ room, offset }: ChatMessage): void {
    const known = room === undefined ? undefined : this.rooms.get(room);
    // A new log counts from 1 again: the last one tells, not the highest.
    if (room !== undefined && known !== undefined && offset > 0) {
      this.rooms.set(room, { ...known, offset });
    }
  }

  onCaughtUp({ room, complete, from, to }: ServerFrameOf<"caughtUp">): void {
    // An inbox has no room to name.
    if (!complete) {
      const place = room === "" ? {} : { room };
      this.emit({ kind: "tell", event: { type: "gap", ...place, from, to } });
    } else if (room !== "") {
      this.emit({ kind: "tell", event: { type: "caughtUp", room } });
    }
  }

  /**
   * Compares with what the server has, tells what is missing, and gives the rooms to join again.
   *
   * @param isSame the session is the one that we were in.
   * @param isLeaving rooms whose leave is not answered yet.
   */
  welcome(
    { resumed, rooms }: ServerFrameOf<"welcome">,
    isSame: boolean,
    isLeaving: (room: string) => boolean,
  ): readonly string[] {
    const there = new Set(resumed ? rooms : []);
    for (const room of there) {
      // An earlier process has joined it, or our join was not answered.
      if (!this.rooms.has(room)) this.joined(room, {});
    }
    const missing: string[] = [];
    for (const [room, known] of this.rooms) {
      const isIn = there.has(room);
      this.rooms.set(room, { ...known, isIn });
      if (isLeaving(room)) continue;
      if (!isIn) missing.push(room);
      if (!isIn || !isSame) {
        const from = known.offset === 0 ? 0 : known.offset + 1;
        this.emit({ kind: "tell", event: { type: "gap", room, from, to: 0 } });
      }
    }
    return missing;
  }
}
