/** Sessions in this process: for one gateway without Redis, and for tests. */
import type { Clock } from "../../clock.js";
import type { SessionRecord } from "../records.js";
import { NOTE_MAX_AGE_SECONDS } from "../session-store.js";
import type { SessionStore } from "../session-store.js";
import { ExpiringMap } from "./expiring-map.js";

interface Session {
  /** Writes with a lower one are refused. */
  readonly epoch: number;
  readonly record?: SessionRecord;
}

const NOTE_MAX_AGE_MS = NOTE_MAX_AGE_SECONDS * 1000;

export function createMemorySessionStore({ clock }: { readonly clock: Clock }): SessionStore {
  const sessions = new ExpiringMap<Session>(clock);
  const notes = new ExpiringMap<string>(clock);
  // Epochs count up over all sessions, so that one fence stands for every session that has ended.
  let lastEpoch = 0;
  let endedEpoch = 0;

  function isFenced(clientId: string, epoch: number): boolean {
    const session = sessions.get(clientId);
    return session === undefined ? epoch <= endedEpoch : epoch < session.epoch;
  }

  /** Until its connection releases or drops it: a gateway that dies takes this store with it. */
  function keep(clientId: string, session: Session): void {
    lastEpoch = Math.max(lastEpoch, session.epoch);
    sessions.set(clientId, session, Infinity);
  }

  /** A late write of the connection that is gone is refused too, hence the one higher epoch. */
  function end(clientId: string, epoch: number, record: SessionRecord | undefined): void {
    endedEpoch = Math.max(endedEpoch, epoch);
    const keptMs = (record?.expirySeconds ?? 0) * 1000;
    if (record !== undefined && keptMs > 0) {
      sessions.set(clientId, { epoch: epoch + 1, record }, keptMs);
    } else {
      sessions.delete(clientId);
    }
  }

  return {
    take(clientId, username) {
      const kept = sessions.get(clientId)?.record;
      const previous = kept?.username === username ? kept : undefined;
      const epoch = Math.max(lastEpoch + 1, clock.now());
      keep(clientId, { epoch, ...(previous && { record: previous }) });
      return Promise.resolve({ epoch, ...(previous && { previous }) });
    },

    save(record) {
      const { clientId, epoch } = record;
      if (isFenced(clientId, epoch)) return Promise.resolve(false);
      keep(clientId, { epoch, record });
      return Promise.resolve(true);
    },

    release(clientId, epoch) {
      if (isFenced(clientId, epoch)) return Promise.resolve(false);
      end(clientId, epoch, sessions.get(clientId)?.record);
      return Promise.resolve(true);
    },

    drop(clientId, epoch) {
      if (isFenced(clientId, epoch)) return Promise.resolve(false);
      end(clientId, epoch, undefined);
      return Promise.resolve(true);
    },

    note(conn, text) {
      notes.set(conn, text, NOTE_MAX_AGE_MS);
      return Promise.resolve();
    },

    noteOf: (conn) => Promise.resolve(notes.get(conn)),

    forget(conn) {
      notes.delete(conn);
      return Promise.resolve();
    },
  };
}
