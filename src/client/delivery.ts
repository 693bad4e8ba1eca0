/**
 * From the core to the app: one event after the other, the next when the app is done with the one
 * before. An app is done with an event when its listeners have returned (where they give a promise:
 * when it is settled) and its iterators have asked for the next one.
 */
import type { ChatEvent, ChatEventOf, ChatEventType } from "./core/effect.js";

export interface DeliveryOptions {
  /** Live messages of qos 0 that come while as many events wait are dropped. */
  readonly maxUndelivered: number;
  /** The app is done with the message. */
  readonly onDone: (token: number) => void;
  /** What a listener threw. Must not throw itself. */
  readonly onError: (error: unknown) => void;
}

type Listener = (event: ChatEvent) => unknown;

export class Delivery {
  private readonly listeners = new Map<ChatEventType, Set<Listener>>();
  private readonly readers = new Set<Reader>();
  private queue: { readonly event: ChatEvent; readonly token: number | undefined }[] = [];
  /** Behind the one that the app works on. */
  private waiting = 0;
  private isRunning = false;
  private isEnded = false;

  constructor(private readonly options: DeliveryOptions) {}

  on<T extends ChatEventType>(type: T, listener: (event: ChatEventOf<T>) => unknown): () => void {
    const all = this.listeners.get(type) ?? new Set();
    this.listeners.set(type, all);
    // The type is what the set is kept under.
    const own: Listener = (event) => listener(event as ChatEventOf<T>);
    all.add(own);
    return () => void all.delete(own);
  }

  read(): AsyncIterableIterator<ChatEvent> {
    const reader = new Reader(() => this.readers.delete(reader));
    if (this.isEnded && !this.isRunning) reader.end();
    else this.readers.add(reader);
    return reader;
  }

  push(event: ChatEvent, token: number | undefined): void {
    const isFull = this.waiting >= this.options.maxUndelivered;
    if (isFull && event.type === "message" && event.qos === 0 && !event.replay) return;
    this.waiting += 1;
    this.queue.push({ event, token });
    this.run();
  }

  end(): void {
    this.isEnded = true;
    this.run();
  }

  private run(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    void this.deliverAll();
  }

  private async deliverAll(): Promise<void> {
    // The app is never called from within what it called.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const all = this.queue;
      this.queue = [];
      for (const { event, token } of all) {
        this.waiting -= 1;
        const waits = this.deliver(event);
        if (waits.length > 0) await Promise.all(waits);
        if (token !== undefined) this.options.onDone(token);
      }
    }
    this.isRunning = false;
    if (!this.isEnded) return;
    for (const reader of this.readers) reader.end();
    this.readers.clear();
  }

  private deliver(event: ChatEvent): readonly PromiseLike<void>[] {
    const waits: PromiseLike<void>[] = [];
    const listeners = this.listeners.get(event.type);
    // One that is added meanwhile hears the next event, one that is taken away not even this one.
    for (const listener of [...(listeners ?? [])]) {
      if (listeners?.has(listener) !== true) continue;
      try {
        const result = listener(event);
        if (isPromise(result)) {
          waits.push(result.then(() => undefined, this.options.onError));
        }
      } catch (error) {
        this.options.onError(error);
      }
    }
    for (const reader of this.readers) waits.push(reader.give(event));
    return waits;
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}

const over = { done: true, value: undefined } as const;

/** One `for await` loop: holds at most the one event that it works on. */
class Reader implements AsyncIterableIterator<ChatEvent> {
  private offered: { readonly event: ChatEvent; readonly done: () => void } | undefined;
  /** What the loop works on. */
  private current: (() => void) | undefined;
  private asking: ((result: IteratorResult<ChatEvent, undefined>) => void)[] = [];
  private isEnded = false;

  constructor(private readonly onReturn: () => void) {}

  give(event: ChatEvent): Promise<void> {
    return new Promise((done) => {
      this.offered = { event, done };
      this.hand();
    });
  }

  end(): void {
    this.isEnded = true;
    for (const answer of this.asking.splice(0)) answer(over);
  }

  next(): Promise<IteratorResult<ChatEvent, undefined>> {
    this.finish();
    if (this.isEnded) return Promise.resolve(over);
    return new Promise((resolve) => {
      this.asking.push(resolve);
      this.hand();
    });
  }

  return(): Promise<IteratorResult<ChatEvent, undefined>> {
    this.onReturn();
    this.end();
    this.finish();
    this.offered?.done();
    return Promise.resolve(over);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private finish(): void {
    this.current?.();
    this.current = undefined;
  }

  private hand(): void {
    if (this.offered === undefined) return;
    const answer = this.asking.shift();
    if (answer === undefined) return;
    const { event, done } = this.offered;
    this.offered = undefined;
    // Who has asked for the next one already is not waited for.
    if (this.asking.length > 0) done();
    else this.current = done;
    answer({ done: false, value: event });
  }
}
