/**
 * Messages for good, in SQL: PostgreSQL, or PGlite in this process. The writer takes them over from the
 * logs (store/room-log.ts). Types of the databases stay in their drivers; nothing here knows of gRPC,
 * of EMQX or of the chat protocol.
 */
export type { Archive, ArchiveRange } from "./archive.js";
export { createArchive } from "./create-archive.js";
export type { ArchivePlace } from "./create-archive.js";
export { exportTopic } from "./export.js";
export type { ExportOptions } from "./export.js";
export { checkPostgresUrl } from "./postgres-address.js";
export { createArchiveWriter } from "./writer.js";
export type { ArchiveWriter, ArchiveWriterOptions, ArchiveWriterStats } from "./writer.js";
