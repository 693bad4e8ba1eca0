/** What the archive needs of a database: PostgreSQL's SQL, its errors translated (failure.ts). */

export type SqlValue =
  string | number | Uint8Array | readonly (string | number | null)[] | SqlBytes;
type SqlBytes = readonly Uint8Array[];

export interface SqlDriver {
  /** One statement, committed when this resolves; its rows. */
  query(text: string, values: readonly SqlValue[]): Promise<readonly unknown[]>;
  /** Several statements, sent as one query: all or nothing, unless they have a BEGIN of their own. */
  script(text: string): Promise<void>;
  /** Waits for what is under way, then closes for good. May be called again. */
  close(): Promise<void>;
}
