/** A hook provider of any generation that notes what the host calls, and answers as it is told. */
import type { HookGeneration } from "../../../src/host/index.js";
import { RpcError } from "../../../src/rpc/client.js";
import { HookProviderDefinition as V1 } from "../../../src/rpc/generated/exhook.v1.js";
import { HookProviderDefinition as V2 } from "../../../src/rpc/generated/exhook.v2.js";
import {
  HookProviderDefinition as V3,
  type BrokerInfo,
  type ClientInfo,
  type ConnInfo,
  type HookSpec,
  type Message,
  type RequestMeta,
  type SubOpts,
  type TopicFilter,
  type ValuedResponse,
} from "../../../src/rpc/generated/exhook.v3.js";
import {
  bind,
  startRpcServer,
  type BoundService,
  type RpcServer,
  type ServiceDefinition,
  type ServiceImplementation,
} from "../../../src/rpc/server.js";
import { openPortFront } from "../../support/port-front.js";

/** What any of the calls may bring. */
export interface HookRequest {
  readonly broker?: Omit<BrokerInfo, "uptime"> & { readonly uptime: number | string };
  readonly meta: RequestMeta;
  readonly conninfo?: ConnInfo;
  readonly clientinfo?: ClientInfo;
  readonly message?: Message;
  readonly reason?: string;
  readonly resultCode?: string;
  readonly result?: boolean;
  readonly type?: string;
  readonly topic?: string;
  readonly subopts?: SubOpts;
  readonly topicFilters?: readonly (TopicFilter & { readonly qos?: number })[];
}

export interface HookCall {
  /** As in a HookSpec, such as `client.connected`. */
  readonly hook: string;
  readonly request: HookRequest;
}

type Answer = (request: HookRequest) => unknown;

export interface RecordingProvider {
  readonly address: string;
  readonly calls: readonly HookCall[];
  callsOf(hook: string): readonly HookRequest[];
  answer(hook: string, answer: (request: HookRequest) => ValuedResponse): void;
  /** Leaves calls of the hook unanswered from now on; the answer lets all of them go. */
  hold(hook: string): () => void;
  fail(hook: string): void;
  stop(): Promise<void>;
  /** On the port it had. */
  start(): Promise<void>;
  /** Stops it for good. */
  close(): Promise<void>;
}

const definitions: Readonly<Record<HookGeneration, ServiceDefinition>> = { v1: V1, v2: V2, v3: V3 };

export async function startRecordingProvider(
  generation: HookGeneration,
  hooks: readonly HookSpec[],
): Promise<RecordingProvider> {
  const calls: HookCall[] = [];
  const answers = new Map<string, Answer>([["provider.loaded", () => ({ hooks })]]);
  const definition = definitions[generation];
  const service = record(definition, (hook, request) => {
    calls.push({ hook, request });
    return answers.get(hook)?.(request) ?? { type: "CONTINUE", value: undefined };
  });
  const front = await openPortFront();
  let server: RpcServer | undefined;

  async function start(): Promise<void> {
    server = await startRpcServer({ host: "127.0.0.1", port: 0, services: [service] });
    front.lead(server.port);
  }

  async function stop(): Promise<void> {
    front.lead(undefined);
    await server?.close(0);
    server = undefined;
  }

  await start();
  return {
    address: `127.0.0.1:${front.port}`,
    calls,
    callsOf: (hook) => calls.filter((call) => call.hook === hook).map(({ request }) => request),
    answer: (hook, answer) => void answers.set(hook, answer),
    hold(hook) {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      answers.set(hook, async () => {
        await released;
        return { type: "CONTINUE", value: undefined };
      });
      return () => {
        answers.delete(hook);
        release();
      };
    },
    fail(hook) {
      answers.set(hook, () => {
        throw new RpcError("INTERNAL", "boom");
      });
    },
    stop,
    start,
    async close() {
      await stop();
      await front.close();
    },
  };
}

function record(
  definition: ServiceDefinition,
  take: (hook: string, request: HookRequest) => unknown,
): BoundService {
  const methods = Object.entries(definition.methods).map(([key, { name }]) => [
    key,
    (request: HookRequest) => take(hookOf(name), request),
  ]);
  return bind(definition, Object.fromEntries(methods) as ServiceImplementation<ServiceDefinition>);
}

/** `client.check_acl` for `OnClientCheckAcl`. */
function hookOf(method: string): string {
  const [, subject = "", ...verb] = method.split(/(?=[A-Z])/);
  return `${subject}.${verb.join("_")}`.toLowerCase();
}
