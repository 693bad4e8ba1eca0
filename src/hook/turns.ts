/**
 * Work in turns: what is of one member is done one after the other, in the order it came. Members are
 * of a group, from time to time of another one; what is of a group as a whole waits for all of the
 * group that came before, and all of the group that comes later waits for it. Work that the store can't do now is done again until it can, and holds up what waits for it.
 */
import type { Clock } from "../clock.js";
import { GatewayError } from "../errors.js";
import type { Logger } from "../logger.js";

export interface Turns {
  /** Never throws. */
  take(group: string, member: string, work: () => Promise<void>): void;
  takeWhole(group: string, work: () => Promise<void>): void;
  /** Resolves when nothing is left. */
  drained(): Promise<void>;
  /** Nothing is begun or tried again from now on; resolves when nothing is under way. */
  stop(): Promise<void>;
}

export interface TurnsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How much may be waiting; what comes beyond is dropped. Default 50,000. */
  readonly maxWaiting?: number;
}

const MAX_WAITING = 50_000;
const RETRY_MS = 1_000;

export function createTurns({ clock, logger, maxWaiting = MAX_WAITING }: TurnsOptions): Turns {
  /** Of each member, and of each group as a whole, what it has last in the line. */
  const members = new Map<string, Promise<void>>();
  const wholes = new Map<string, Promise<void>>();
  /** All that is not done, with its group. */
  const open = new Map<Promise<void>, string>();
  const pauses = new Set<() => void>();
  let isStopped = false;
  let isFull = false;

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        pauses.delete(end);
        resolve();
      };
      const cancel = clock.schedule(RETRY_MS, end);
      pauses.add(end);
    });
  }

  async function perform(work: () => Promise<void>): Promise<void> {
    while (!isStopped) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== "UNAVAILABLE") {
          logger.error({ err: error }, "an event of an MQTT client was lost to a bug");
          return;
        }
        logger.debug({ err: error }, "an event of an MQTT client waits for the store");
        await pause();
      }
    }
  }

  function isRefused(): boolean {
    if (isStopped) return true;
    const wasFull = isFull;
    isFull = open.size >= maxWaiting;
    if (isFull && !wasFull) {
      logger.error({ waiting: open.size }, "events of MQTT clients are dropped: too many wait");
    }
    return isFull;
  }

  function begin(
    group: string,
    after: readonly Promise<void>[],
    work: () => Promise<void>,
    line: Map<string, Promise<void>>,
    name: string,
  ): void {
    const mine = Promise.all(after)
      .then(() => perform(work))
      .then(() => {
        open.delete(mine);
        if (line.get(name) === mine) line.delete(name);
      });
    open.set(mine, group);
    line.set(name, mine);
  }

  async function drained(): Promise<void> {
    while (open.size > 0) await Promise.all([...open.keys()]);
  }

  return {
    take(group, member, work) {
      if (isRefused()) return;
      const before = [members.get(member), wholes.get(group)].filter((one) => one !== undefined);
      begin(group, before, work, members, member);
    },
    takeWhole(group, work) {
      if (isRefused()) return;
      const before = [...open].filter(([, of]) => of === group).map(([one]) => one);
      begin(group, before, work, wholes, group);
    },
    drained,
    async stop() {
      isStopped = true;
      for (const end of [...pauses]) end();
      await drained();
    },
  };
}
