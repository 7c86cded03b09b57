/**
 * A way to a server that can be broken: cut (connections die, new ones are refused), frozen (they stay open, nothing gets through), or frozen
 * in the direction of the answers alone. For tests of what a client does when its server is away, its own process hangs or an answer is lost.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  cut(): void;
  freeze(): void;
  /** What clients send still arrives; what they are answered does not. */
  freezeAnswers(): void;
  /** Lets everything through again. What was frozen goes on; what was cut stays dead. */
  restore(): void;
  close(): Promise<void>;
}

export interface TcpProxyOptions {
  readonly host: string;
  readonly port: number;
  /** Port to listen on; a free one by default. */
  readonly listenPort?: number;
}

export async function startTcpProxy(target: TcpProxyOptions): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  /** Those to the server, from which the answers come. */
  const upstreams = new Set<Socket>();
  let state: 'open' | 'cut' | 'frozen' | 'without answers' = 'open';
  const server = createServer((client) => {
    if (state === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target.port, target.host);
    join(client, upstream);
    join(upstream, client);
    upstreams.add(upstream);
    upstream.on('close', () => upstreams.delete(upstream));
    if (state === 'without answers') upstream.pause();
    if (state === 'frozen') for (const socket of [client, upstream]) socket.pause();
  });
  const join = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      if (!to.destroyed) to.write(chunk);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    from.on('end', () => to.end());
  };
  server.listen(target.listenPort ?? 0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.resetAndDestroy();
    },
    freeze() {
      state = 'frozen';
      for (const socket of sockets) socket.pause();
    },
    freezeAnswers() {
      state = 'without answers';
      for (const socket of upstreams) socket.pause();
    },
    restore() {
      state = 'open';
      for (const socket of sockets) socket.resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
