import type { Member } from "./records.js";

/**
 * Names a client among those of a room: client ids are unique within a protocol only. The same is
 * done in redis/lua/presence-join.lua and presence-remove.lua; a chat client's key is its bare id, as
 * it was before there were others. No client id of the chat protocol holds a NUL.
 */
export function memberKey({ protocol = "chat", clientId }: Member): string {
  return protocol === "chat" ? clientId : `${protocol}\0${clientId}`;
}

/** The member alone of what is more; the chat protocol goes without saying. */
export function toMember({ protocol = "chat", clientId, username, since }: Member): Member {
  return { ...(protocol !== "chat" && { protocol }), clientId, username, since };
}

function compare(a: Member, b: Member): number {
  if (a.since !== b.since) return a.since - b.since;
  if (a.clientId !== b.clientId) return a.clientId < b.clientId ? -1 : 1;
  return memberKey(a) < memberKey(b) ? -1 : 1;
}

/**
 * Who is in a room, from its entries: one a client, its oldest, by `since`, then client id, then
 * protocol.
 */
export function foldMembers(entries: Iterable<Member>): readonly Member[] {
  const members = new Map<string, Member>();
  for (const entry of entries) {
    const key = memberKey(entry);
    const known = members.get(key);
    if (known === undefined || entry.since < known.since) members.set(key, toMember(entry));
  }
  return [...members.values()].sort(compare);
}
