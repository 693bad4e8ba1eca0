/** The protocol's rules for names, so that a bad one is refused before it is sent. */
import { ChatError } from "./error.js";

const ROOM = /^[\p{L}\p{N}\p{M}\-_.]{1,64}$/u;
const CLIENT_ID = /^[A-Za-z0-9._:@-]{1,64}$/;
const USERNAME = /^(?!\$)[^/+#\p{Cc}\p{Cs}]{1,128}$/u;

export function checkRoom(room: string): void {
  if (!ROOM.test(room)) {
    throw new ChatError("BAD_ROOM", 'a room is 1 to 64 letters, digits, "-", "_" or "."');
  }
}

export function checkClientId(clientId: string): void {
  if (!CLIENT_ID.test(clientId)) {
    throw new ChatError("BAD_REQUEST", "a clientId is 1 to 64 of A-Z a-z 0-9 . _ : @ -");
  }
}

export function checkUsername(username: string): void {
  if (!USERNAME.test(username)) {
    throw new ChatError(
      "BAD_REQUEST",
      'a username is 1 to 128 characters without "/", "+", "#" or control characters, not beginning with "$"',
    );
  }
}

const MAX_KEY_LENGTH = 64;

export function checkKey(key: string): void {
  if (key === "" || key.length > MAX_KEY_LENGTH) {
    throw new ChatError("BAD_REQUEST", `a key is 1 to ${MAX_KEY_LENGTH} characters`);
  }
}

export function checkWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ChatError(
      "BAD_REQUEST",
      `${name} is a whole number from ${least} to ${most}, not ${value}`,
    );
  }
}
