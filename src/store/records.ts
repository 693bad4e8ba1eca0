/** What the stores keep, as plain data. */

export interface RoomOptions {
  readonly qos: number;
  readonly presence: boolean;
  readonly echo: boolean;
}

/** A session as it outlives its connection. */
export interface SessionRecord {
  readonly session: string;
  readonly clientId: string;
  readonly username: string;
  readonly epoch: number;
  readonly rooms: Readonly<Record<string, RoomOptions>>;
  /** The last seq given out, and the highest one the client has taken over. */
  readonly seq: number;
  readonly ackedSeq: number;
  /** Seconds it is kept after its connection is gone. */
  readonly expirySeconds: number;
}

/** Someone who is in a room. */
export interface Member {
  readonly clientId: string;
  readonly username: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}
