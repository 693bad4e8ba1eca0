/** Kills the parts of a system in turn, at random times, and starts them again. */
import { setTimeout as delay } from "node:timers/promises";

export interface Victim {
  readonly name: string;
  /** As SIGKILL does. */
  kill(): Promise<unknown>;
  /** On the same ports; waits until it is up. */
  start(): Promise<void>;
}

export interface Havoc {
  readonly durationMs: number;
  /** 0 up to 1. */
  readonly random: () => number;
}

const CALM_MS = { least: 500, most: 3_000 };
const AWAY_MS = { least: 200, most: 2_000 };

/**
 * Every victim is killed at least once, and up in the end. Gives the names of those that were killed, in
 * order.
 */
export async function wreak(
  victims: readonly Victim[],
  { durationMs, random }: Havoc,
): Promise<readonly string[]> {
  const between = ({ least, most }: typeof CALM_MS) => least + random() * (most - least);
  const endAt = Date.now() + durationMs;
  const killed: string[] = [];
  while (Date.now() < endAt || killed.length < victims.length) {
    for (const victim of victims) {
      await delay(between(CALM_MS));
      if (Date.now() >= endAt && killed.length >= victims.length) break;
      await victim.kill();
      killed.push(victim.name);
      await delay(between(AWAY_MS));
      await victim.start();
    }
  }
  return killed;
}

/** A small generator (mulberry32), so that a seed gives the same times again. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
