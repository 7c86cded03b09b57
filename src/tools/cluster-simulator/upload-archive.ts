/**
 * Uploads an archive as the Insights Operator does, byte by byte of the protocol: a chunked multipart body with two parts, one request
 * per connection. Used by `ccx simulate`, the all-in-one demo, system tests and benchmarks. Source: ingress.md A.5, B.3.
 */
import { createHash } from 'node:crypto';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { encodeIdentity, type Identity } from '../../contracts/identity.ts';
import { HEADER_IDENTITY, HEADER_REQUEST_ID } from '../../contracts/topics.ts';
import { CcxError } from '../../encoding/ccx-error.ts';

/** The operator breaks an upload off rather than send this much. */
export const archiveBytesMax = 10 * 1024 * 1024;
/** One attempt, from connecting to the end of the answer. */
const uploadMsMax = 60_000;
/** Go copies in pieces of this size. */
const chunkBytes = 32 * 1024;
/** An answer is a few lines; more is cut off. */
const answerBytesMax = 64 * 1024;

export interface UploadOptions {
  /** Full address, e.g. `http://127.0.0.1:3000/api/ingress/v1/upload`. */
  readonly url: string;
  readonly archive: Buffer;
  /** Undefined: the User-Agent names none, as no operator's does. */
  readonly clusterId: string | undefined;
  readonly gatheredAt: Date;
  /** As the operator sends it. */
  readonly token?: string;
  /** As the gateway adds it; a document is encoded, a text is sent as it is. */
  readonly identity?: Identity | string;
  /** As the gateway adds it. */
  readonly requestId?: string;
  /** In the User-Agent; the operator's own version. */
  readonly operatorVersion?: string;
  readonly contentType?: string;
  /** Of the whole attempt; default the operator's. */
  readonly deadlineMs?: number;
}

export interface UploadAnswer {
  readonly status: number;
  /** From the answer's header; what the operator remembers the upload by. */
  readonly requestId: string | undefined;
  readonly body: string;
}

/**
 * Any answer is returned, whatever its status; redirects are not followed. Rejects with code `UPLOAD_FAILED` (retryable) when there is
 * none, and with `UPLOAD_TOO_LARGE` when the archive is one that the operator breaks off.
 */
export async function uploadArchive(options: UploadOptions): Promise<UploadAnswer> {
  const deadline = AbortSignal.timeout(options.deadlineMs ?? uploadMsMax);
  const boundary = createHash('sha256').update(options.archive).digest('hex').slice(0, 60);
  const request = openRequest(options, boundary, deadline);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  // The body may fail because the answer came first; then the answer is what counts.
  const sent = pipeline(multipartBody(options, boundary), request).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    const response = await Promise.race([answered, sent.then((error) => failBeforeAnswer(error, answered))]);
    return await readAnswer(response);
  } catch (cause) {
    if (cause instanceof CcxError) throw cause;
    throw new CcxError(`no answer from ${new URL(options.url).origin}`, {
      code: 'UPLOAD_FAILED',
      category: 'connection',
      retryable: true,
      cause,
    });
  } finally {
    request.destroy();
  }
}

/** A body that could not be sent ends the upload, unless the server answered early and closed. */
async function failBeforeAnswer(error: unknown, answered: Promise<IncomingMessage>): Promise<IncomingMessage> {
  if (error instanceof CcxError) {
    answered.catch(() => undefined);
    throw error;
  }
  return answered;
}

function openRequest(options: UploadOptions, boundary: string, signal: AbortSignal): ClientRequest {
  const url = new URL(options.url);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const version = options.operatorVersion ?? '4.20.0-simulated';
  const { identity } = options;
  return send(url, {
    method: 'POST',
    agent: false,
    signal,
    headers: {
      Host: url.host,
      'User-Agent': `insights-operator/${version}${options.clusterId === undefined ? '' : ` cluster/${options.clusterId}`}`,
      'Transfer-Encoding': 'chunked',
      ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
      'Content-Type': `multipart/form-data; boundary=${boundary}`,
      'Accept-Encoding': 'gzip',
      Connection: 'close',
      ...(identity === undefined
        ? {}
        : { [HEADER_IDENTITY]: typeof identity === 'string' ? identity : encodeIdentity(identity) }),
      ...(options.requestId === undefined ? {} : { [HEADER_REQUEST_ID]: options.requestId }),
    },
  });
}

async function* multipartBody(options: UploadOptions, boundary: string): AsyncGenerator<Buffer> {
  const contentType = options.contentType ?? 'application/vnd.redhat.openshift.periodic';
  yield part(boundary, 'name="file"; filename="payload.tar.gz"', contentType, '');
  for (let at = 0; at < options.archive.length; at += chunkBytes) {
    if (at + chunkBytes >= archiveBytesMax && options.archive.length >= archiveBytesMax)
      throw tooLarge(options.archive.length);
    yield options.archive.subarray(at, at + chunkBytes);
  }
  yield part(boundary, 'name="metadata"; filename="metadata.json"', 'application/octet-stream', '\r\n');
  yield Buffer.from(JSON.stringify({ custom_metadata: { gathering_time: wholeSeconds(options.gatheredAt) } }));
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

function part(boundary: string, disposition: string, contentType: string, before: string): Buffer {
  return Buffer.from(
    `${before}--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${contentType}\r\n\r\n`,
  );
}

/** RFC 3339 without a fraction, as Go writes it here. */
function wholeSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

function tooLarge(bytes: number): CcxError {
  const text = `the archive has ${bytes} bytes; the operator breaks off uploads of ${archiveBytesMax} bytes and more`;
  return new CcxError(text, { code: 'UPLOAD_TOO_LARGE', category: 'limit' });
}

async function readAnswer(response: IncomingMessage): Promise<UploadAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > answerBytesMax) break;
  }
  const raw = Buffer.concat(chunks).subarray(0, answerBytesMax);
  const body =
    response.headers['content-encoding'] === 'gzip' ? gunzipSync(raw, { maxOutputLength: answerBytesMax }) : raw;
  const requestId = response.headers[HEADER_REQUEST_ID];
  return {
    status: response.statusCode ?? 0,
    requestId: Array.isArray(requestId) ? requestId[0] : requestId,
    body: body.toString('utf8'),
  };
}
