/**
 * Uploads of one archive over and over, several at once, each on a connection that stays open as a gateway's does. Written once, byte by byte as the
 * operator sends it, and read by as little as tells the answer: on two cores whatever the client costs the server does not get.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeIdentity } from '../../src/contracts/identity.ts';
import { HEADER_IDENTITY } from '../../src/contracts/topics.ts';
import { BOUNDARY, filePart, form, metadataPart } from '../../test/support/ingress-bench.ts';
import { identityOf } from '../../test/support/owner-identity.ts';

/** Go copies in pieces of this size. */
const chunkBytes = 32 * 1024;
const cluster = '00000000-0000-0000-0000-000000000000';

/** Resolves to their number when each was answered 202. */
export async function uploadMany(
  url: string,
  { uploads, atOnce, archive }: { readonly uploads: number; readonly atOnce: number; readonly archive: Buffer },
): Promise<number> {
  const request = requestOf(new URL(url), archive);
  let begun = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      const { hostname, port } = new URL(url);
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      try {
        await once(socket, 'connect');
        for (; begun < uploads; ) {
          begun += 1;
          await exchange(socket, request);
        }
      } finally {
        socket.destroy();
      }
    }),
  );
  return uploads;
}

function requestOf({ host, pathname }: URL, archive: Buffer): Buffer {
  const body = form([filePart(archive), metadataPart({ custom_metadata: { gathering_time: '2026-11-26T12:00:00Z' } })]);
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; at += chunkBytes) {
    const piece = body.subarray(at, at + chunkBytes);
    chunks.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  const head = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${host}`,
    `user-agent: insights-operator/4.20.0 cluster/${cluster}`,
    'transfer-encoding: chunked',
    `content-type: multipart/form-data; boundary=${BOUNDARY}`,
    `${HEADER_IDENTITY}: ${encodeIdentity(identityOf(cluster))}`,
    '\r\n',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n')), ...chunks, Buffer.from('0\r\n\r\n')]);
}

/** One request and its whole answer. */
async function exchange(socket: Socket, request: Buffer): Promise<void> {
  const answer = Promise.withResolvers<void>();
  let text = '';
  const onData = (bytes: Buffer) => {
    text += bytes.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (text.length < end + 4 + length) return;
    if (text.startsWith('HTTP/1.1 202 ')) answer.resolve();
    else answer.reject(new Error(`an upload was answered ${text}`));
  };
  const onEnd = () => answer.reject(new Error(`a connection ended with ${JSON.stringify(text)}`));
  socket.on('data', onData).on('close', onEnd).on('error', answer.reject);
  socket.write(request);
  try {
    await answer.promise;
  } finally {
    socket.off('data', onData).off('close', onEnd).off('error', answer.reject);
  }
}
