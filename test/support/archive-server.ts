/** An object store's download side for tests: serves what it is told, slowly, wrongly or not at all. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listening } from './test-server.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface ArchiveServer {
  readonly host: string;
  /** Sets what a path answers and returns its link. */
  serve(path: string, answer: Buffer | Answer): string;
  /** Requests so far by path. */
  readonly requests: Map<string, number>;
  close(): void;
}

export async function startArchiveServer(): Promise<ArchiveServer> {
  const answers = new Map<string, Answer>();
  const requests = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    requests.set(path, (requests.get(path) ?? 0) + 1);
    const answer = answers.get(path);
    if (answer === undefined) response.writeHead(404).end('no such key');
    else answer(request, response);
  });
  const { port, close } = await listening(server);
  const host = `127.0.0.1:${port}`;
  return {
    host,
    requests,
    serve(path, answer) {
      answers.set(
        path,
        Buffer.isBuffer(answer)
          ? (_, response) => response.writeHead(200, { 'content-type': 'application/gzip' }).end(answer)
          : answer,
      );
      return `http://${host}${path}`;
    },
    close,
  };
}
