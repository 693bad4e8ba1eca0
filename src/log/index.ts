/**
 * What this process makes of the rooms' logs: see room-logs.ts. Nothing here knows of gRPC, of Redis
 * or of frames.
 */
export {
  createRoomLogs,
  defaultLogLimits,
  type LogLimits,
  type OlderEntries,
  type RoomLogs,
  type RoomLogsOptions,
  type RoomLogStats,
} from "./room-logs.js";
