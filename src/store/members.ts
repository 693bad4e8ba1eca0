import type { Member } from "./records.js";

function isBefore(a: Member, b: Member): boolean {
  return a.since < b.since || (a.since === b.since && a.clientId < b.clientId);
}

/** Who is in a room, from its entries: one a client, its oldest, by `since` and then client id. */
export function foldMembers(entries: Iterable<Member>): readonly Member[] {
  const members = new Map<string, Member>();
  for (const { clientId, username, since } of entries) {
    const known = members.get(clientId);
    if (known === undefined || since < known.since) {
      members.set(clientId, { clientId, username, since });
    }
  }
  return [...members.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1));
}
