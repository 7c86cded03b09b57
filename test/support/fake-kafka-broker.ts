/**
 * A broker that can only be logged in to, for tests of what a client does around a login: it speaks ApiVersions, SaslHandshake and
 * SaslAuthenticate, remembers every request, and goes away or answers as it is told.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { listening } from './test-server.ts';

export const apiKeys = { apiVersions: 18, saslHandshake: 17, saslAuthenticate: 36 } as const;

export interface FakeRequest {
  /** Counts connections from 0. */
  readonly connection: number;
  readonly api: number;
  /** Counts the requests of this kind on this connection from 1. */
  readonly times: number;
  /** What SaslAuthenticate carries; empty otherwise. */
  readonly bytes: Buffer;
}

/** `close`: ends the connection without a word. `hold`: answers when `releaseHeld` is called. */
export type FakeAnswer =
  | 'close'
  | 'hold'
  | { readonly errorCode?: number; readonly bytes?: Buffer; readonly lifetimeMs?: number };

export interface FakeKafkaBroker {
  readonly port: number;
  readonly requests: readonly FakeRequest[];
  /** Connections that are open now. */
  openConnections(): number;
  releaseHeld(): void;
  close(): Promise<void>;
}

/** `answer` undefined: as a broker that takes every login, for ever. */
export async function startFakeKafkaBroker(
  answer: (request: FakeRequest) => FakeAnswer | undefined = () => undefined,
): Promise<FakeKafkaBroker> {
  const requests: FakeRequest[] = [];
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections;
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    const counts = new Map<number, number>();
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const frame = pending.subarray(4, 4 + pending.readInt32BE(0));
        pending = pending.subarray(4 + frame.length);
        const api = frame.readInt16BE(0);
        const times = (counts.get(api) ?? 0) + 1;
        counts.set(api, times);
        const request = { connection, api, times, bytes: loginBytes(api, frame) };
        requests.push(request);
        const said = answer(request);
        if (said === 'close') {
          socket.end();
          return;
        }
        const reply = () => socket.write(replyTo(frame, said === 'hold' ? {} : (said ?? {})));
        if (said === 'hold') held.push(reply);
        else reply();
      }
    });
  });
  const { port } = await listening(server);
  return {
    port,
    requests,
    openConnections: () => sockets.size,
    releaseHeld() {
      for (const reply of held.splice(0)) reply();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function loginBytes(api: number, frame: Buffer): Buffer {
  if (api !== apiKeys.saslAuthenticate) return Buffer.alloc(0);
  const afterHeader = 10 + frame.readInt16BE(8) + 1;
  // Compact bytes of less than 16 kB: a length of one or two bytes, one too many, and a tag buffer behind.
  const first = frame[afterHeader]!;
  const lengthBytes = first < 0x80 ? 1 : 2;
  const length = (lengthBytes === 1 ? first : (first & 0x7f) + (frame[afterHeader + 1]! << 7)) - 1;
  return frame.subarray(afterHeader + lengthBytes, afterHeader + lengthBytes + length);
}

function replyTo(frame: Buffer, said: Exclude<FakeAnswer, string>): Buffer {
  const body = bodyOf(frame.readInt16BE(0), frame.readInt16BE(2), said);
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length, 0);
  head.writeInt32BE(frame.readInt32BE(4), 4);
  return Buffer.concat([head, body]);
}

function bodyOf(api: number, version: number, { errorCode = 0, bytes, lifetimeMs = 0 }: Exclude<FakeAnswer, string>) {
  switch (api) {
    case apiKeys.apiVersions: {
      const range = [...int16(apiKeys.saslAuthenticate), ...int16(0), ...int16(2)];
      return version < 3
        ? Buffer.from([...int16(errorCode), 0, 0, 0, 1, ...range, 0, 0, 0, 0])
        : Buffer.from([...int16(errorCode), 2, ...range, 0, 0, 0, 0, 0, 0]);
    }
    case apiKeys.saslHandshake:
      return Buffer.from([...int16(errorCode), 0, 0, 0, 0]);
    default: {
      const lifetime = Buffer.alloc(8);
      lifetime.writeBigInt64BE(BigInt(lifetimeMs));
      const said = bytes ?? Buffer.alloc(0);
      return Buffer.concat([
        Buffer.from([0, ...int16(errorCode), 0, said.length + 1]),
        said,
        lifetime,
        Buffer.from([0]),
      ]);
    }
  }
}

function int16(value: number): readonly [number, number] {
  return [(value >> 8) & 0xff, value & 0xff];
}
