/** Hands events over one at a time, in order; what comes during one waits for its end. */
export interface Mailbox<E> {
  put(event: E): void;
}

/** @param handle must not throw. */
export function createMailbox<E>(handle: (event: E) => void): Mailbox<E> {
  let queue: E[] | undefined;
  return {
    put(event) {
      if (queue !== undefined) {
        queue.push(event);
        return;
      }
      queue = [event];
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) handle(next);
      queue = undefined;
    },
  };
}
