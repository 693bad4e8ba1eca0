/** A room log in memory that can lose its newest entries, as a store does that has not written them. */
import {
  createMemoryRoomLog,
  type LogEntry,
  type LogHead,
  type LogPage,
  type RoomLog,
} from "../../src/store/index.js";
import type { FakeClock } from "./fake-clock.js";

export interface ForgetfulLog extends RoomLog {
  /** Loses so many of each topic's newest entries; gives what is the last one then, by topic. */
  lose(count: number): ReadonlyMap<string, number>;
}

type Epochs = LogHead["epochs"];

export function createForgetfulLog(clock: FakeClock): ForgetfulLog {
  let inner = createMemoryRoomLog({ clock });
  const entries = new Map<string, readonly LogEntry[]>();
  const epochs = new Map<string, Epochs>();
  let lastEpoch = clock.now();

  const epochsOf = (topic: string): Epochs => {
    const known = epochs.get(topic) ?? [{ epoch: (lastEpoch += 1), since: 1 }];
    epochs.set(topic, known);
    return known;
  };
  const epochAt = (topic: string, offset: number): number =>
    epochsOf(topic).findLast(({ since }) => since <= offset)?.epoch ?? 0;

  function placed<T extends { readonly offset: number }>(topic: string, at: T) {
    return { ...at, epoch: epochAt(topic, at.offset) };
  }

  function withEpochs(topic: string, head: LogHead): LogHead {
    const known = epochsOf(topic);
    return { ...head, epoch: known.at(-1)?.epoch ?? 0, epochs: known };
  }

  function page<P extends LogPage>(topic: string, read: P): P {
    const found = read.entries.map((entry) => placed(topic, entry));
    return { ...read, head: withEpochs(topic, read.head), entries: found };
  }

  return {
    async open(topics) {
      const heads = await inner.open(topics);
      return heads.map((head, index) => withEpochs(topics[index] ?? "", head));
    },
    async append(topic, messages) {
      const appended = await inner.append(topic, messages);
      const all = await inner.read(topic, { after: 0, limit: Infinity, maxBytes: Infinity });
      entries.set(topic, all.entries);
      return appended.map((at) => placed(topic, at));
    },
    read: async (topic, range) => page(topic, await inner.read(topic, range)),
    readBack: async (topic, range) => page(topic, await inner.readBack(topic, range)),
    async announce(topic, ...rest) {
      const settled = await inner.announce(topic, ...rest);
      return settled && placed(topic, settled);
    },
    async settle(topic, publication) {
      const settled = await inner.settle(topic, publication);
      return settled && placed(topic, settled);
    },
    lose(count) {
      inner = createMemoryRoomLog({ clock });
      const last = new Map<string, number>();
      for (const topic of epochs.keys()) {
        const kept = (entries.get(topic) ?? []).slice(0, count === 0 ? undefined : -count);
        entries.set(topic, kept);
        // In memory an append is done when it returns.
        void inner.append(topic, kept);
        const since = kept.length + 1;
        const earlier = epochsOf(topic).filter((epoch) => epoch.since < since);
        epochs.set(topic, [...earlier, { epoch: (lastEpoch += 1), since }]);
        last.set(topic, kept.length);
      }
      return last;
    },
  };
}
