/**
 * Entry of the process that an ingress is compared with: Node's HTTP server with nothing on it, that stores each body as durably as ingress
 * does (a file of its own, synced, renamed, its folder synced) and then answers. Arguments: port, folder. Started by `upload-servers.ts`.
 */
import { mkdir, open, rename } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { readProcessInput } from '../../src/platform/config/process-input.ts';

const [port = '0', folder = '.'] = readProcessInput().args;
const unfinished = join(folder, '.unfinished');
let files = 0;

await mkdir(unfinished, { recursive: true });
createServer(async (request, response) => {
  files += 1;
  const name = String(files);
  await writeSynced(join(unfinished, name), await bodyOf(request));
  await rename(join(unfinished, name), join(folder, name));
  await syncFolder();
  response.writeHead(202).end();
}).listen(Number(port), '127.0.0.1');

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function writeSynced(path: string, body: Buffer): Promise<void> {
  const file = await open(path, 'wx');
  await file.writeFile(body);
  await file.sync();
  await file.close();
}

async function syncFolder(): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync();
  await handle.close();
}
