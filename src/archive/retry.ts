const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 15_000;

/**
 * Doubles with each attempt that failed, from 100 ms to 15 s, less a random part: gateways are not to
 * come back all in one moment.
 *
 * @param attempt From 1.
 * @param random In 0 to 1.
 */
export function retryDelayMs(attempt: number, random = Math.random()): number {
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 20), MAX_DELAY_MS);
  return Math.round(delayMs * (0.5 + random / 2));
}
