/**
 * What goes out to a client. As in EMQX, whoever writes to a client that does not read is held up:
 * once more than a limit is buffered, calls wait until all of it has gone out.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.js";

export interface OutgoingLimits {
  /** What may be buffered for a client before calls wait, in bytes. */
  readonly maxUnsentBytes: number;
  /** How long a client may take nothing before it is given up, in ms. */
  readonly sendTimeoutMs: number;
  /** How long a call may wait, in ms. */
  readonly callTimeoutMs: number;
}

export interface Outgoing {
  write(bytes: Uint8Array): void;
  /**
   * Runs the task when the client takes bytes again, at once if it does now. Gives `fallback` after
   * callTimeoutMs, and the task still runs later, or when the connection ends first.
   */
  whenWritable<T>(task: () => T | Promise<T>, fallback: T): Promise<T>;
  /** Sends what is buffered and closes, within sendTimeoutMs. */
  end(): void;
  /** Closes and drops what is buffered. */
  destroy(): void;
}

interface Waiting {
  run(): void;
  giveUp(): void;
}

export function createOutgoing(
  socket: Socket,
  limits: OutgoingLimits,
  clock: Clock,
  onTimeout: () => void,
): Outgoing {
  let waiting: Waiting[] = [];
  /** Set while the client does not read. */
  let cancelTimeout: (() => void) | undefined;
  let cancelLinger: (() => void) | undefined;

  function isBlocked(): boolean {
    return cancelTimeout !== undefined;
  }

  function unblock(): void {
    cancelTimeout?.();
    cancelTimeout = undefined;
  }

  function giveUp(): void {
    unblock();
    const given = waiting;
    waiting = [];
    for (const one of given) one.giveUp();
  }

  socket.on("drain", () => {
    unblock();
    while (!isBlocked() && waiting.length > 0) waiting.shift()?.run();
  });
  socket.once("close", () => {
    giveUp();
    cancelLinger?.();
  });

  return {
    write(bytes) {
      if (bytes.length === 0 || !socket.writable) return;
      socket.write(bytes);
      if (socket.writableLength <= limits.maxUnsentBytes) return;
      cancelTimeout ??= clock.schedule(limits.sendTimeoutMs, onTimeout);
    },
    whenWritable(task, fallback) {
      if (!isBlocked()) return Promise.resolve(task());
      return new Promise((resolve, reject) => {
        const cancel = clock.schedule(limits.callTimeoutMs, () => resolve(fallback));
        waiting.push({
          run() {
            cancel();
            try {
              resolve(task());
            } catch (error) {
              reject(error instanceof Error ? error : new Error(String(error)));
            }
          },
          giveUp() {
            cancel();
            resolve(fallback);
          },
        });
      });
    },
    end() {
      giveUp();
      if (socket.destroyed || cancelLinger !== undefined) return;
      cancelLinger = clock.schedule(limits.sendTimeoutMs, () => socket.destroy());
      socket.destroySoon();
    },
    destroy() {
      giveUp();
      socket.destroy();
    },
  };
}
