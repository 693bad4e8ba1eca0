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
  /** Where MQTT clients ask for a room's history. With `{room}` once. */
  readonly history: string;
  /** Under which an MQTT client gets replies. With `{client}` once. */
  readonly reply: string;
}

export const defaultTopics: TopicTemplates = {
  room: "chat/room/{room}",
  user: "chat/user/{user}",
  presence: "chat/presence/{room}",
  history: "chat/history/{room}",
  reply: "chat/reply/{client}",
};

export type Place =
  | { readonly kind: "room"; readonly room: string }
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "presence"; readonly room: string }
  | { readonly kind: "history"; readonly room: string };

export interface Topics {
  room(room: string): string;
  user(user: string): string;
  presence(room: string): string;
  history(room: string): string;
  reply(client: string): string;
  /** Undefined for a topic that none of the templates makes. */
  placeOf(topic: string): Place | undefined;
  /** Topic filters that together match every room, inbox and history request, and little else. */
  readonly filters: readonly string[];
}

interface Template {
  fill(name: string): string;
  /** Matches whatever it makes. A wildcard stands for a whole level only. */
  readonly filter: string;
  nameIn(topic: string): string | undefined;
}

/** Throws an Error that names the fault when a template can't be used. */
export function createTopics(templates: TopicTemplates): Topics {
  const room = parseTemplate(templates.room, "{room}");
  const user = parseTemplate(templates.user, "{user}");
  const presence = parseTemplate(templates.presence, "{room}");
  const history = parseTemplate(templates.history, "{room}");
  const reply = parseTemplate(templates.reply, "{client}");
  const places: readonly (readonly [Template, (name: string) => Place])[] = [
    [presence, (name) => ({ kind: "presence", room: name })],
    [history, (name) => ({ kind: "history", room: name })],
    [user, (name) => ({ kind: "user", user: name })],
    [room, (name) => ({ kind: "room", room: name })],
  ];
  const all = [room, user, presence, history, reply];
  for (const [index, one] of all.entries()) {
    if (all.slice(index + 1).some((other) => overlap(one, other))) {
      throw new Error("two topic templates can make the same topic");
    }
  }
  return {
    room: (name) => room.fill(name),
    user: (name) => user.fill(name),
    presence: (name) => presence.fill(name),
    history: (name) => history.fill(name),
    reply: (client) => reply.fill(client),
    filters: [room.filter, user.filter, history.filter],
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
    filter: template
      .split("/")
      .map((level) => (level.includes(placeholder) ? "+" : level))
      .join("/"),
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
