/**
 * Work in turns: what is of one member is done one after the other, in the order it came. Members are
 * of a group, from time to time of another one; what is of a group as a whole waits for all of the
 * group that came before, and all of the group that comes later waits for it. Work that the store can't
 * do now is done again until it can, and holds up what waits for it.
 */
import type { Clock } from "../clock.js";
import { GatewayError } from "../errors.js";
import type { Logger } from "../logger.js";

export interface Turns {
  /** Never throws. */
  take(group: string, member: string, work: () => Promise<void>): void;
  takeWhole(group: string, work: () => Promise<void>): void;
  /** How much of the member's is not done. */
  waitingOf(member: string): number;
  /** Resolves when nothing is left. */
  drained(): Promise<void>;
  /**
   * Takes nothing more, and does what it has until the store can't: then all else is given up. Resolves
   * when nothing is left.
   */
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

interface Line {
  /** What came last in it. */
  readonly last: Promise<void>;
  readonly length: number;
}

export function createTurns({ clock, logger, maxWaiting = MAX_WAITING }: TurnsOptions): Turns {
  /** Of each member, and of each group as a whole; those without work are not kept. */
  const members = new Map<string, Line>();
  const wholes = new Map<string, Line>();
  /** All that is not done, with its group. */
  const open = new Map<Promise<void>, string>();
  const pauses = new Set<() => void>();
  let isStopping = false;
  let isGivenUp = false;
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
    while (!isGivenUp) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== "UNAVAILABLE") {
          logger.error({ err: error }, "an event of an MQTT client was lost to a bug");
          return;
        }
        if (isStopping) giveUp(error);
        else {
          logger.debug({ err: error }, "an event of an MQTT client waits for the store");
          await pause();
        }
      }
    }
  }

  function giveUp(error: GatewayError): void {
    if (!isGivenUp) {
      logger.warn({ err: error, lost: open.size }, "events of MQTT clients are lost at the stop");
    }
    isGivenUp = true;
  }

  function isRefused(): boolean {
    if (isStopping) return true;
    const isOver = open.size >= maxWaiting;
    if (isOver && !isFull) {
      logger.error({ waiting: open.size }, "events of MQTT clients are dropped: too many wait");
    }
    // Told once, and not each time that one more finds its place.
    isFull = isOver || (isFull && open.size > maxWaiting / 2);
    return isOver;
  }

  function begin(
    group: string,
    after: readonly Promise<void>[],
    work: () => Promise<void>,
    lines: Map<string, Line>,
    name: string,
  ): void {
    const last = Promise.all(after)
      .then(() => perform(work))
      .then(() => {
        open.delete(last);
        const line = lines.get(name);
        if (line === undefined || line.last === last) lines.delete(name);
        else lines.set(name, { ...line, length: line.length - 1 });
      });
    open.set(last, group);
    lines.set(name, { last, length: (lines.get(name)?.length ?? 0) + 1 });
  }

  async function drained(): Promise<void> {
    while (open.size > 0) await Promise.all([...open.keys()]);
  }

  return {
    take(group, member, work) {
      if (isRefused()) return;
      const before = [members.get(member), wholes.get(group)].flatMap((line) => line?.last ?? []);
      begin(group, before, work, members, member);
    },
    takeWhole(group, work) {
      if (isRefused()) return;
      const before = [...open].filter(([, of]) => of === group).map(([one]) => one);
      begin(group, before, work, wholes, group);
    },
    waitingOf: (member) => members.get(member)?.length ?? 0,
    drained,
    async stop() {
      isStopping = true;
      for (const end of [...pauses]) end();
      await drained();
    },
  };
}
