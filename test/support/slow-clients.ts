/**
 * Slow clients in a process of their own: so many connections to one port that each send what they begin with, then a byte a second, and
 * come again when they are closed. Ended by its parent. Started by `slow-clients.load.test.ts`.
 *
 *   node slow-clients.ts PORT COUNT FILE AGAIN_MS
 *
 * FILE holds what each connection begins with; one that was closed comes again after AGAIN_MS.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { readProcessInput } from '../../src/platform/config/process-input.ts';

const byteEveryMs = 1_000;

const [port, count, file = '', againMs] = readProcessInput().args;
const beginning = readFileSync(file);
const sockets = new Set<Socket>();
let opened = 0;

function open(): void {
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('connect', () => {
    opened += 1;
    if (opened === Number(count)) process.stdout.write('open\n');
    sockets.add(socket);
    socket.write(beginning);
  });
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  socket.on('close', () => {
    sockets.delete(socket);
    setTimeout(open, Number(againMs));
  });
}

for (let n = 0; n < Number(count); n += 1) open();
setInterval(() => {
  for (const socket of sockets) socket.write('a');
}, byteEveryMs);
