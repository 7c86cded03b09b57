/** Servers of a test's own. */
import { once } from 'node:events';
import { Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';

/** Has it listen on any free port of this machine. `close` ends the connections of an HTTP server, too. */
export async function listening(server: Server): Promise<{ readonly port: number; close(): void }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close() {
      if (server instanceof HttpServer) server.closeAllConnections();
      server.close();
    },
  };
}

/** A port on which nobody listens. */
export async function unusedPort(): Promise<number> {
  const server = createServer();
  const { port, close } = await listening(server);
  close();
  await once(server, 'close');
  return port;
}
