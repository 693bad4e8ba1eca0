/**
 * What goes out for one connection: strictly one call after the other, since EMQX may swap two that
 * are in flight together. What is sent while a call is in flight gathers and goes out as one Send.
 */
import { GatewayError } from "../errors.js";
import type { ConnectionAdapter } from "./adapter.js";

type Entry =
  | { readonly kind: "send"; readonly chunks: Uint8Array[]; bytes: number }
  | { readonly kind: "call"; readonly run: () => Promise<void>; readonly drop: () => void };

export interface Outbox {
  send(bytes: Uint8Array): void;
  /** Runs `run` after everything before it; rejects as it does, or as gone once dropped. */
  call(run: () => Promise<void>): Promise<void>;
  /** Bytes that wait to be sent, those in flight included. */
  readonly pendingBytes: number;
  /** Forgets what waits: the connection is gone. */
  drop(): void;
}

/** What gathers into one Send at the most. */
const MAX_SEND_BYTES = 1024 * 1024;

export interface OutboxEvents {
  /** A Send has ended, well or badly: less is pending now. */
  onSent(): void;
  /** A Send failed: the client's stream has a hole from here on. */
  onSendFailed(error: GatewayError): void;
}

export function createOutbox(
  conn: string,
  adapter: ConnectionAdapter,
  events: OutboxEvents,
): Outbox {
  let queue: Entry[] = [];
  let running = false;
  let pendingBytes = 0;

  async function send({ chunks, bytes }: Extract<Entry, { kind: "send" }>): Promise<void> {
    try {
      const [only] = chunks;
      await adapter.send(conn, chunks.length === 1 && only ? only : Buffer.concat(chunks));
    } catch (error) {
      events.onSendFailed(GatewayError.from(error));
    }
    pendingBytes -= bytes;
    events.onSent();
  }

  async function run(): Promise<void> {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
      await (entry.kind === "send" ? send(entry) : entry.run());
    }
    running = false;
  }

  function enqueue(entry: Entry): void {
    queue.push(entry);
    if (running) return;
    running = true;
    void run();
  }

  return {
    get pendingBytes() {
      return pendingBytes;
    },
    send(bytes) {
      pendingBytes += bytes.length;
      const last = queue.at(-1);
      if (last?.kind === "send" && last.bytes + bytes.length <= MAX_SEND_BYTES) {
        last.chunks.push(bytes);
        last.bytes += bytes.length;
      } else {
        enqueue({ kind: "send", chunks: [bytes], bytes: bytes.length });
      }
    },
    call: (start) =>
      new Promise((resolve, reject) => {
        enqueue({
          kind: "call",
          run: () => start().then(resolve, reject),
          drop: () =>
            reject(new GatewayError("UNAVAILABLE", "the connection is closed", { gone: true })),
        });
      }),
    drop() {
      const dropped = queue;
      queue = [];
      for (const entry of dropped) {
        if (entry.kind === "send") pendingBytes -= entry.bytes;
        else entry.drop();
      }
    },
  };
}
