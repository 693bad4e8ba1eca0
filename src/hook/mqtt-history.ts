/**
 * History for MQTT clients, by request and response: who publishes to a room's history topic is sent a
 * page on a reply topic of its own, as JSON. Who may ask is who may publish there: EMQX's authorization
 * decides.
 *
 * The request is empty, or JSON: `{"limit":20,"before":"<message id>","responseTopic":"chat/reply/<client
 * id>/1","correlation":"7"}`, each of them optional. From EMQX 5.9 on, MQTT 5's Response-Topic and
 * Correlation-Data do as well; before, ExHook does not tell them. The answer is published through
 * ExProto, which knows no properties (facts E7): the correlation stands in it as a field.
 */
import { GatewayError, type ErrorCode } from "../errors.js";
import type { Logger } from "../logger.js";
import type { History } from "../protocol.js";
import { describeMessage } from "../session/index.js";
import type { LogMessage } from "../store/index.js";
import type { MessageProperties } from "./hook-listener.js";

export interface MqttHistoryOptions {
  /** Undefined for a topic that is no room's history topic. */
  readonly roomOf: (topic: string) => string | undefined;
  /**
   * Under which the replies to this client lie; a client can have none elsewhere. One whose id can't be
   * a level of a topic gets none at all.
   */
  readonly replyTopicOf: (clientId: string) => string;
  readonly history: (room: string, before: string | undefined, limit: number) => Promise<History>;
  readonly publish: (topic: string, payload: Uint8Array) => Promise<void>;
  readonly logger: Logger;
}

export interface MqttHistory {
  /** Never rejects; what is no request changes nothing. */
  onMessage(message: LogMessage, properties: MessageProperties): Promise<void>;
}

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;
const MAX_REQUEST_BYTES = 4_096;
/** Requests that are answered at once; whoever comes above that is told to come back. */
const MAX_UNDER_WAY = 64;
/** Those under way and refusals on their way together; whoever comes above that is not even told. */
const MAX_REPLIES = 1_024;
const MESSAGE_ID = /^[0-9A-Fa-f]{32}$/;
/** EMQX takes a RawPublish to whatever topic it is given, valid or not. */
const UNPUBLISHABLE = /[+#\p{Cc}]/u;
/** Whose id has levels would be answered below the topic of another client, which may read there. */
const UNANSWERABLE = /[/+#\p{Cc}]/u;

interface Request {
  readonly limit: number;
  readonly before: string | undefined;
  readonly responseTopic: string | undefined;
  readonly correlation: unknown;
}

export function createMqttHistory(options: MqttHistoryOptions): MqttHistory {
  const { roomOf, replyTopicOf, history, publish, logger } = options;
  let underWay = 0;

  async function answer(room: string, request: Request): Promise<object> {
    if (underWay > MAX_UNDER_WAY) {
      return refusal("RATE_LIMITED", "too many ask at once; ask again");
    }
    try {
      const { entries, more } = await history(room, request.before, request.limit);
      const messages = entries.map((entry) => {
        const { data, ...fields } = describeMessage(entry);
        const { qos, offset } = entry;
        const bytes = data && { data: Buffer.from(data).toString("base64") };
        return { ...fields, ...bytes, qos, offset };
      });
      return { messages, more };
    } catch (cause) {
      const error = GatewayError.from(cause);
      if (error.code === "INTERNAL") logger.error({ err: cause, room }, "a history was not read");
      return refusal(error.code, error.reason);
    }
  }

  async function reply(
    room: string,
    message: LogMessage,
    properties: MessageProperties,
  ): Promise<void> {
    if (UNANSWERABLE.test(message.from)) return;
    const own = replyTopicOf(message.from);
    const request = parseRequest(message.payload, properties);
    const wanted = ("fault" in request ? undefined : request.responseTopic) ?? own;
    const isOwn = wanted === own || wanted.startsWith(`${own}/`);
    const topic = isOwn && !UNPUBLISHABLE.test(wanted) ? wanted : own;
    const body =
      "fault" in request
        ? refusal("BAD_REQUEST", request.fault)
        : topic === wanted
          ? await answer(room, request)
          : refusal("BAD_REQUEST", `a response topic is ${own} or below it`);
    const correlation =
      "fault" in request || request.correlation === undefined
        ? {}
        : { correlation: request.correlation };
    await publish(topic, Buffer.from(JSON.stringify({ room, ...correlation, ...body })));
  }

  return {
    async onMessage(message, properties) {
      const room = roomOf(message.topic);
      if (room === undefined || underWay >= MAX_REPLIES) return;
      underWay += 1;
      try {
        await reply(room, message, properties);
      } catch (error) {
        logger.warn({ err: error, room, client: message.from }, "a history was not answered");
      } finally {
        underWay -= 1;
      }
    },
  };
}

function refusal(code: ErrorCode, reason: string): object {
  return { code, reason };
}

function parseRequest(
  payload: Uint8Array,
  { responseTopic, correlationData }: MessageProperties,
): Request | { readonly fault: string } {
  if (payload.length > MAX_REQUEST_BYTES) {
    return { fault: `a request has at most ${MAX_REQUEST_BYTES} bytes` };
  }
  let value: unknown = {};
  try {
    if (payload.length > 0) value = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return { fault: "a request is empty, or a JSON object" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { fault: "a request is empty, or a JSON object" };
  }
  const fields = value as Record<string, unknown>;
  const { limit = DEFAULT_LIMIT, before, correlation = correlationData } = fields;
  const topic = fields.responseTopic ?? responseTopic;
  if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    return { fault: `limit is 1 to ${MAX_LIMIT}` };
  }
  if (before !== undefined && (typeof before !== "string" || !MESSAGE_ID.test(before))) {
    return { fault: "before is the id of a message: 32 hex digits" };
  }
  if (topic !== undefined && typeof topic !== "string") {
    return { fault: "responseTopic is a topic" };
  }
  return { limit, before: before?.toUpperCase(), responseTopic: topic, correlation };
}
