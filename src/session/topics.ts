/**
 * Where rooms, inboxes and presence lie on the broker, and which names may stand in a topic. Names
 * are checked before a topic is made of them: EMQX kills the connection that publishes to a
 * wildcard or subscribes to `$share`.
 */

export interface TopicTemplates {
  /** With `{room}` once, such as `chat/room/{room}`. */
  readonly room: string;
  /** With `{user}` once. */
  readonly user: string;
  /** With `{room}` once. */
  readonly presence: string;
}

export const defaultTopics: TopicTemplates = {
  room: "chat/room/{room}",
  user: "chat/user/{user}",
  presence: "chat/presence/{room}",
};

export type Place =
  | { readonly kind: "room"; readonly room: string }
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "presence"; readonly room: string };

export interface Topics {
  room(room: string): string;
  user(user: string): string;
  presence(room: string): string;
  /** Undefined for a topic that none of the templates makes. */
  placeOf(topic: string): Place | undefined;
}

interface Template {
  fill(name: string): string;
  nameIn(topic: string): string | undefined;
}

/** Throws an Error that names the fault when a template can't be used. */
export function createTopics(templates: TopicTemplates): Topics {
  const room = parseTemplate(templates.room, "{room}");
  const user = parseTemplate(templates.user, "{user}");
  const presence = parseTemplate(templates.presence, "{room}");
  const places: readonly (readonly [Template, (name: string) => Place])[] = [
    [presence, (name) => ({ kind: "presence", room: name })],
    [user, (name) => ({ kind: "user", user: name })],
    [room, (name) => ({ kind: "room", room: name })],
  ];
  for (const [one, other] of [
    [room, user],
    [room, presence],
    [user, presence],
  ] as const) {
    if (overlap(one, other)) throw new Error("two topic templates can make the same topic");
  }
  return {
    room: (name) => room.fill(name),
    user: (name) => user.fill(name),
    presence: (name) => presence.fill(name),
    placeOf(topic) {
      for (const [template, place] of places) {
        const name = template.nameIn(topic);
        if (name !== undefined) return place(name);
      }
      return undefined;
    },
  };
}

function parseTemplate(template: string, placeholder: string): Template {
  const [prefix, suffix, ...more] = template.split(placeholder);
  if (prefix === undefined || suffix === undefined || more.length > 0) {
    throw new Error(`the topic template "${template}" needs ${placeholder} exactly once`);
  }
  if (/[+#\p{Cc}{}]/u.test(prefix + suffix) || template.startsWith("$")) {
    throw new Error(
      `the topic template "${template}" must hold no "+", "#", brace or control character, nor begin with "$"`,
    );
  }
  return {
    fill: (name) => prefix + name + suffix,
    nameIn(topic) {
      const end = topic.length - suffix.length;
      if (end <= prefix.length || !topic.startsWith(prefix) || !topic.endsWith(suffix)) {
        return undefined;
      }
      const name = topic.slice(prefix.length, end);
      return name.includes("/") ? undefined : name;
    },
  };
}

/** Names hold no "/", so two templates can only meet level by level. */
function overlap(one: Template, other: Template): boolean {
  const a = one.fill("\0").split("/");
  const b = other.fill("\0").split("/");
  return (
    a.length === b.length &&
    a.every((level, i) => {
      const opposite = b[i] ?? "";
      return level === opposite || level.includes("\0") || opposite.includes("\0");
    })
  );
}

const ROOM = /^[\p{L}\p{N}\p{M}\-_.]{1,64}$/u;
const CLIENT_ID = /^[A-Za-z0-9._:@-]{1,64}$/;
/** Stands in a topic, so no separator, wildcard or control character, and no "$" first. */
const USERNAME = /^(?!\$)[^/+#\p{Cc}\p{Cs}]{1,128}$/u;

export function isRoomName(name: string): boolean {
  return ROOM.test(name);
}

export function isClientId(name: string): boolean {
  return CLIENT_ID.test(name);
}

export function isUsername(name: string): boolean {
  return USERNAME.test(name);
}

export const roomNameRule = 'a room is 1 to 64 letters, digits, "-", "_" or "."';
export const clientIdRule = "a clientId is 1 to 64 of A-Z a-z 0-9 . _ : @ -";
export const usernameRule =
  'a username is 1 to 128 characters without "/", "+", "#" or control characters, not beginning with "$"';
