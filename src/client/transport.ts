/** The port of a transport: bytes to a gateway and back, such as over TCP, TLS or in memory. */
export interface Transport {
  /**
   * Opens a connection; `events` are called later, never from within. What it throws counts as an
   * attempt that failed.
   */
  open(events: WireEvents): Wire;
}

export interface WireEvents {
  opened(): void;
  received(chunk: Uint8Array): void;
  /** Once, and the last: it is closed, or could not be opened. */
  closed(reason: string): void;
}

export interface Wire {
  write(bytes: Uint8Array): void;
  /** Closes it after what was written; at once when called again. */
  close(): void;
}
