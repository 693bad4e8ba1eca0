/** Looked at before pg does, so that a mistake is told at once, and never a password. */

const FORM = "postgres[ql]://[user:password@]host[:port]/database[?sslmode=…]";

/** Throws RangeError, without the URL in it, when it can't be used. */
export function checkPostgresUrl(text: string): void {
  if (!URL.canParse(text)) throw new RangeError(`the archive's URL is not of the form ${FORM}`);
  const url = new URL(text);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    throw new RangeError(`the archive's URL must begin with postgres://, as in ${FORM}`);
  }
  for (const part of [url.username, url.password, url.hostname, url.pathname]) {
    try {
      decodeURIComponent(part);
    } catch {
      throw new RangeError(
        `the archive's URL has a % that begins no percent code (a % itself is %25): ${FORM}`,
      );
    }
  }
}
