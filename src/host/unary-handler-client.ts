/**
 * Calls to ConnectionUnaryHandler. As EMQX has one HTTP/2 connection for each of its schedulers,
 * there are several channels, and each call takes any of them.
 */
import { RpcError, createChannel, type Channel } from "../rpc/client.js";
import {
  ConnectionUnaryHandlerClientImpl,
  type ConnectionUnaryHandler,
  type EmptySuccess,
} from "../rpc/generated/exproto.js";
import { isCutOff, isUnreachable, type HandlerClient, type HandlerEvent } from "./handler-port.js";

interface Slot {
  channel: Channel;
  handler: ConnectionUnaryHandler;
}

function openSlot(address: string): Slot {
  const channel = createChannel(address, { exclusive: true });
  return { channel, handler: new ConnectionUnaryHandlerClientImpl(channel.rpc()) };
}

export function createUnaryHandlerClient(address: string, channels: number): HandlerClient {
  const slots = Array.from({ length: channels }, () => openSlot(address));

  /** EMQX tries again with the next event; a channel that has failed would wait longer. */
  function renew(slot: Slot, failed: Channel): void {
    if (slot.channel !== failed || !slots.includes(slot)) return;
    failed.close();
    Object.assign(slot, openSlot(address));
  }

  async function call(event: HandlerEvent): Promise<void> {
    const slot = slots[Math.floor(Math.random() * slots.length)];
    if (slot === undefined) throw new RpcError("UNAVAILABLE", "No connection established");
    const { channel } = slot;
    try {
      await invoke(slot.handler, event);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (isCutOff(error)) return new Promise(() => undefined);
      if (isUnreachable(error)) renew(slot, channel);
      throw error;
    }
  }

  return {
    open: () => ({ call }),
    close() {
      for (const { channel } of slots.splice(0)) channel.close();
    },
  };
}

function invoke(handler: ConnectionUnaryHandler, event: HandlerEvent): Promise<EmptySuccess> {
  switch (event.method) {
    case "OnSocketCreated":
      return handler.OnSocketCreated(event.request);
    case "OnReceivedBytes":
      return handler.OnReceivedBytes(event.request);
    case "OnReceivedMessages":
      return handler.OnReceivedMessages(event.request);
    case "OnTimerTimeout":
      return handler.OnTimerTimeout(event.request);
    case "OnSocketClosed":
      return handler.OnSocketClosed(event.request);
  }
}
