/**
 * One client stream of one connection and method, as EMQX keeps it: opened at the first event,
 * flushed late, never ended from this side. Once the handler has ended it, events are dropped; when
 * the connection to the handler was lost, the next event opens it anew.
 */
import type { Clock } from "../clock.js";
import { RpcError } from "../rpc/client.js";
import { isCutOff, isUnreachable } from "./handler-port.js";

export interface EventStreamOptions<T> {
  /** Opens the stream; settles when the handler has ended it or it is lost. */
  readonly open: (events: AsyncIterable<T>) => Promise<unknown>;
  readonly flushDelayMs: () => number;
  readonly clock: Clock;
  /** The handler can't be reached: the events are lost. */
  readonly onUnreachable: (error: RpcError) => void;
  /** Nothing is held for the stream any more. */
  readonly onOver: () => void;
}

export interface EventStream<T> {
  write(event: T, sizeBytes: number): void;
  /** Cuts the stream. */
  cancel(): void;
}

/** So much is flushed at once. */
const FLUSH_BYTES = 16 * 1024;

type State = "unopened" | "open" | "ended";

export function createEventStream<T>(options: EventStreamOptions<T>): EventStream<T> {
  let state: State = "unopened";
  let source = createSource<T>();
  let unflushed: T[] = [];
  let unflushedBytes = 0;
  let cancelFlush: (() => void) | undefined;

  function flush(): void {
    cancelFlush?.();
    cancelFlush = undefined;
    source.push(unflushed);
    unflushed = [];
    unflushedBytes = 0;
  }

  function open(): void {
    state = "open";
    const opened = (source = createSource());
    options.open(opened.events()).then(
      () => over("ended", opened),
      (error: unknown) => {
        if (state === "ended") return;
        const lost = error instanceof RpcError && (isUnreachable(error) || isCutOff(error));
        over(lost ? "unopened" : "ended", opened);
        if (lost && isUnreachable(error)) options.onUnreachable(error);
      },
    );
  }

  function over(next: State, opened: Source<T>): void {
    opened.end();
    if (state === "ended") return;
    state = next;
    cancelFlush?.();
    cancelFlush = undefined;
    unflushed = [];
    options.onOver();
  }

  return {
    write(event, sizeBytes) {
      if (state === "ended") return;
      if (state === "unopened") open();
      unflushed.push(event);
      unflushedBytes += sizeBytes;
      if (unflushedBytes >= FLUSH_BYTES) flush();
      else cancelFlush ??= options.clock.schedule(options.flushDelayMs(), flush);
    },
    cancel() {
      source.fail(new Error("the host is closing"));
      over("ended", source);
    },
  };
}

/** What is pushed comes out of `events`. */
interface Source<T> {
  push(items: readonly T[]): void;
  end(): void;
  /** `events` throws. */
  fail(error: Error): void;
  events(): AsyncIterable<T>;
}

function createSource<T>(): Source<T> {
  const items: T[] = [];
  let end: { readonly error?: Error } | undefined;
  let wake = (): void => undefined;

  function finish(how: { readonly error?: Error }): void {
    end ??= how;
    wake();
  }

  return {
    push(more) {
      items.push(...more);
      wake();
    },
    end: () => finish({}),
    fail: (error) => finish({ error }),
    async *events() {
      for (;;) {
        if (end?.error !== undefined) throw end.error;
        yield* items.splice(0);
        if (items.length > 0) continue;
        if (end !== undefined) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
