/** One thing after another, as in a client's process: a hook that is slow holds up one client only. */

export interface TaskLine {
  /** Runs the task when those before it are done; gives what it gives. */
  run<T>(task: () => T | Promise<T>): Promise<T>;
  /** Tasks that are not done. */
  readonly length: number;
}

export function createTaskLine(): TaskLine {
  let last: Promise<unknown> = Promise.resolve();
  let length = 0;
  return {
    run(task) {
      length += 1;
      const result = last.then(task).finally(() => (length -= 1));
      // Who runs it hears of its failure; the next one is not concerned.
      last = result.catch(() => undefined);
      return result;
    },
    get length() {
      return length;
    },
  };
}
