import { setTimeout as delay } from "node:timers/promises";

const GIVE_UP_AFTER_MS = 15_000;
const POLL_MS = 10;

/**
 * Waits for a condition: until `probe` gives something other than undefined or false. What it threw
 * last is thrown when that does not come about in time.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    let cause: unknown;
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      cause = error;
    }
    if (Date.now() > giveUpAt) throw new Error(`waited in vain: ${what}`, { cause });
    await delay(POLL_MS);
  }
}
