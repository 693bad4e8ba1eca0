/**
 * The HTTP/2 connections to a hook provider. Each client's calls take one of them, always the same,
 * so that they stay in order; a connection is opened by the first call.
 */
import { RpcError, createChannel, type Channel } from "../rpc/client.js";
import { isUnreachable } from "./handler-port.js";
import { generations, type HookGeneration, type HookProvider } from "./hook-generation.js";

export interface HookPool {
  /** Rejects with RpcError. */
  call<T>(
    key: string,
    deadlineMs: number,
    invoke: (provider: HookProvider) => Promise<T>,
  ): Promise<T>;
  /** Fails the calls in flight, and whatever is still to come. */
  close(): void;
}

/** EMQX's setting `pool_size`. */
const POOL_SIZE = 8;

export function createHookPool(address: string, generation: HookGeneration): HookPool {
  const channels = new Map<number, Channel>();
  let isClosed = false;

  function channelOf(slot: number): Channel {
    if (isClosed) throw new RpcError("CANCELLED", "the hook provider is unloaded");
    let channel = channels.get(slot);
    if (channel === undefined) {
      channel = createChannel(address, { exclusive: true });
      channels.set(slot, channel);
    }
    return channel;
  }

  return {
    async call(key, deadlineMs, invoke) {
      const slot = hash(key) % POOL_SIZE;
      const channel = channelOf(slot);
      try {
        return await invoke(generations[generation].createProvider(channel.rpc({ deadlineMs })));
      } catch (error) {
        // The next call tries again; a channel that has failed would wait longer.
        if (error instanceof RpcError && isUnreachable(error) && channels.get(slot) === channel) {
          channels.delete(slot);
          channel.close();
        }
        throw error;
      }
    },
    close() {
      isClosed = true;
      for (const channel of channels.values()) channel.close();
      channels.clear();
    },
  };
}

function hash(key: string): number {
  let value = 0;
  for (let at = 0; at < key.length; at += 1) value = (value * 31 + key.charCodeAt(at)) >>> 0;
  return value;
}
