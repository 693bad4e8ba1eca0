/** What chat clients of one topic have announced, and where it went. */
import { createHash } from "node:crypto";
import type { Clock } from "../../clock.js";
import type { LogMessage } from "../records.js";
import type { Publication, Settled } from "../room-log.js";
import { ExpiringMap } from "./expiring-map.js";

interface Announced {
  readonly key: string;
  readonly username: string;
  readonly settled?: Settled;
}

/** What an appended message is to those announced. */
export type Fitting =
  | { readonly kind: "open"; readonly username: string; settle(at: Settled): void }
  | { readonly kind: "settled"; readonly at: Settled }
  | { readonly kind: "none" };

/** Announcements of one publisher and payload that are waited for at once; the oldest ones go first. */
const MAX_WAITING = 100;

function keyOf(from: string, key: string): string {
  return JSON.stringify([from, key]);
}

function contentOf(from: string, payload: Uint8Array): string {
  return JSON.stringify([from, createHash("sha1").update(payload).digest("base64")]);
}

export class Publications {
  /** By publisher and key. */
  private readonly announced: ExpiringMap<Announced>;
  /** The announced ones of a publisher and payload, in order. */
  private readonly waiting: ExpiringMap<readonly string[]>;

  constructor(clock: Clock) {
    this.announced = new ExpiringMap(clock);
    this.waiting = new ExpiringMap(clock);
  }

  announce(publication: Publication, windowMs: number): Settled | undefined {
    const { from, username, payload } = publication;
    const key = keyOf(from, publication.key);
    const settled = this.announced.get(key)?.settled;
    if (settled !== undefined) return settled;
    this.announced.set(key, { key, username }, windowMs);
    const content = contentOf(from, payload);
    const keys = this.waiting.get(content) ?? [];
    const all = keys.includes(key) ? keys : [...keys, key].slice(-MAX_WAITING);
    this.waiting.set(content, all, windowMs);
    return undefined;
  }

  settle(publication: Publication): Settled | undefined {
    const { from, payload } = publication;
    const key = keyOf(from, publication.key);
    const settled = this.announced.get(key)?.settled;
    if (settled === undefined) return undefined;
    const content = contentOf(from, payload);
    const rest = (this.waiting.get(content) ?? []).filter((other) => other !== key);
    if (rest.length === 0) this.waiting.delete(content);
    else this.waiting.replace(content, rest);
    return settled;
  }

  /** The first that is not settled yet; else one that is. */
  fit(message: LogMessage): Fitting {
    const keys = this.waiting.get(contentOf(message.from, message.payload)) ?? [];
    const found = keys.flatMap((key) => this.announced.get(key) ?? []);
    const same = found.find(({ settled }) => settled?.id === message.id);
    if (same?.settled !== undefined) return { kind: "settled", at: same.settled };
    const open = found.find(({ settled }) => settled === undefined);
    if (open !== undefined) {
      const { key, username } = open;
      return {
        kind: "open",
        username,
        settle: (at) => this.announced.replace(key, { key, username, settled: at }),
      };
    }
    const settled = found[0]?.settled;
    return settled === undefined ? { kind: "none" } : { kind: "settled", at: settled };
  }
}
