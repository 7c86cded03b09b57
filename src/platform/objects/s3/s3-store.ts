/**
 * Objects in a bucket of Amazon S3, or of whatever speaks it. Loaded only by whoever keeps archives there: the SDK takes a tenth of a second.
 *
 * Durable means: the store has acknowledged the object. A large archive comes as a stream of unknown length and goes out in parts, each from
 * a buffer of this process, so that what one upload costs does not grow with it; it comes into being with the last request.
 */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  type LifecycleRule,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type CcxError, configInvalid } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { checkObjectKey } from '../object-errors.ts';
import {
  type ByteRange,
  INGRESS_PREFIX,
  type ObjectAttributes,
  type ObjectStore,
  type SignedLink,
  type StoredObject,
} from '../object-store.ts';
import { PartBuffers } from './part-buffers.ts';
import { isFinalAtStart, s3Error, tooManyStreams } from './s3-errors.ts';
import { type S3SettingNames, type S3Settings, s3LinkMsMax } from './s3-settings.ts';

/** The least that S3 takes for a part that is not the last. */
export const partBytes = 5 * 1024 ** 2;
/** Each holds one part at most: 240 MiB in all, where every client is slow. */
export const streamsMax = 48;
const connectMsMax = 3_000;
/** From a request's first byte to the headers of its answer: a part at 170 kB/s. Ingress gives up on storing after 45 s. */
const answerMsMax = 30_000;
/** Between two pieces of an answer. */
const silenceMsMax = 30_000;
/** Of one request, the pauses between them a second in all. */
const attemptsMax = 4;
const socketsMax = 256;
/** A store that is away at the start may be starting, too. */
const startPatienceMs = 30_000;
const startPollMs = 1_000;
/** A link is signed with credentials that end later than this where others can be had. */
const credentialMsMin = 30 * 60_000;
/** Others are asked for at most so often. */
const renewEveryMs = 60_000;
const defaultRegion = 'us-east-1';

interface S3StoreOptions {
  readonly settings: S3Settings;
  readonly names: S3SettingNames;
  readonly clock: Clock;
  /** Whether it is also to be written: then the start finds out whether it may. */
  readonly writes: boolean;
  /** Told at the start, each second, while the store is away. Must not throw. */
  readonly onAway?: (error: CcxError) => void;
}

/** Rejects with an `OBJECTS_*` error where the store cannot be used: at once where somebody has to mend something, else after 30 s. */
export async function openS3Store(options: S3StoreOptions): Promise<S3ObjectStore> {
  const { clock, settings } = options;
  const store = new S3ObjectStore(options, await createClient(settings, options.names));
  const deadlineMs = clock.monotonicMs() + startPatienceMs;
  for (;;) {
    try {
      await store.check();
      if (options.writes) await store.checkWrites();
      return store;
    } catch (error) {
      if (isFinalAtStart(error) || clock.monotonicMs() > deadlineMs) {
        await store.close();
        throw error;
      }
      options.onAway?.(error as CcxError);
      await clock.sleep(startPollMs);
    }
  }
}

/** Rejects with `CONFIG_INVALID`; asks nobody. */
export async function createClient(settings: S3Settings, names: S3SettingNames): Promise<S3Client> {
  const hasEndpoint = settings.endpoint !== '';
  const { accessKey, secretKey, addressing } = settings;
  if ((accessKey === '') !== (secretKey === '')) {
    throw configInvalid(
      `of ${names.accessKey} and ${names.secretKey} only one is set`,
      `set both, or none for AWS's own chain`,
    );
  }
  const isChecked = settings.checksums === 'auto' ? !hasEndpoint : settings.checksums === 'always';
  const checksums = isChecked ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED';
  const sockets = { keepAlive: true, maxSockets: socketsMax };
  const client = new S3Client({
    ...(hasEndpoint ? { endpoint: settings.endpoint } : {}),
    ...(settings.region !== '' ? { region: settings.region } : hasEndpoint ? { region: defaultRegion } : {}),
    ...(accessKey === '' ? {} : { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } }),
    forcePathStyle: addressing === 'auto' ? hasEndpoint : addressing === 'path',
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: attemptsMax,
    requestHandler: {
      connectionTimeout: connectMsMax,
      requestTimeout: answerMsMax,
      throwOnRequestTimeout: true,
      socketTimeout: silenceMsMax,
      httpAgent: new HttpAgent(sockets),
      httpsAgent: new HttpsAgent({ ...sockets, ...authority(settings, names) }),
    },
  });
  await client.config.region().catch((cause: unknown) => {
    client.destroy();
    throw configInvalid(`the region of the bucket is not known: ${String(cause)}`, `set ${names.region}`);
  });
  return client;
}

function authority({ caFile }: S3Settings, names: S3SettingNames): { readonly ca?: string } {
  if (caFile === '') return {};
  const hint = `set ${names.caFile} to a readable PEM file`;
  let ca: string;
  try {
    ca = readFileSync(caFile, 'utf8');
  } catch (cause) {
    throw configInvalid(`${caFile} cannot be read: ${String(cause)}`, hint);
  }
  // Without any the handshake would fail later, as if it were the store's fault.
  if (!ca.includes('-----BEGIN ')) throw configInvalid(`${caFile} holds no PEM`, hint);
  return { ca };
}

export class S3ObjectStore implements ObjectStore {
  readonly #options: S3StoreOptions;
  readonly #client: S3Client;
  readonly #buffers: PartBuffers;
  #streams = 0;
  #renewedMs = Number.NEGATIVE_INFINITY;

  constructor(options: S3StoreOptions, client: S3Client) {
    this.#options = options;
    this.#client = client;
    this.#buffers = new PartBuffers(partBytes, options.clock);
  }

  get bucket(): string {
    return this.#options.settings.bucket;
  }

  async put(key: string, body: Readable | Buffer, attributes: ObjectAttributes = {}): Promise<void> {
    // A stream that fails before anybody reads it would otherwise be an uncaught exception; reading it reports the error.
    if (!Buffer.isBuffer(body)) body.on('error', () => undefined);
    try {
      checkObjectKey(key);
      if (Buffer.isBuffer(body)) await this.#putWhole(key, body, attributes);
      else await this.#putStream(key, body, attributes);
    } catch (error) {
      if (!Buffer.isBuffer(body)) body.destroy();
      throw error;
    }
  }

  async get(key: string, range?: ByteRange): ReturnType<ObjectStore['get']> {
    checkObjectKey(key);
    const Range = range === undefined ? undefined : `bytes=${range.start}-${range.endInclusive}`;
    try {
      const answer = await this.#client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key, Range }));
      const ofWhole = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
      const sizeBytes = Number(ofWhole ?? answer.ContentLength ?? 0);
      return {
        object: { key, sizeBytes, storedAt: answer.LastModified ?? new Date(0) },
        body: answer.Body as Readable,
      };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.#error(error, `read ${JSON.stringify(key)}`);
    }
  }

  async delete(key: string): Promise<void> {
    checkObjectKey(key);
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key }));
    } catch (error) {
      if (!isMissing(error)) throw this.#error(error, `delete ${JSON.stringify(key)}`);
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    let ContinuationToken: string | undefined;
    do {
      const request = new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix, ContinuationToken });
      const page = await this.#client.send(request).catch((error: unknown) => {
        throw this.#error(error, 'list its objects');
      });
      for (const { Key: key, Size: sizeBytes = 0, LastModified: storedAt = new Date(0) } of page.Contents ?? []) {
        // What a console shows as an empty folder.
        if (key !== undefined && !key.endsWith('/')) yield { key, sizeBytes, storedAt };
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }

  async check(): Promise<void> {
    try {
      // Not HEAD, whose answers carry no code.
      await this.#client.send(new ListObjectsV2Command({ Bucket: this.bucket, Prefix: INGRESS_PREFIX, MaxKeys: 1 }));
    } catch (error) {
      throw this.#error(error, 'be used');
    }
  }

  /** Rejects where nothing can be stored or deleted. */
  async checkWrites(): Promise<void> {
    const key = `${INGRESS_PREFIX}startcheck`;
    await this.put(key, Buffer.from('Written and deleted at each start.\n'));
    await this.delete(key);
  }

  async signLink(key: string, wantedMs: number): Promise<SignedLink> {
    checkObjectKey(key);
    const lifetimeMs = Math.min(wantedMs, s3LinkMsMax);
    try {
      const endsAt = await this.#credentialsEnd(lifetimeMs);
      const nowMs = this.#options.clock.now().getTime();
      const lifeMs = endsAt === undefined ? lifetimeMs : Math.max(0, Math.min(lifetimeMs, endsAt - nowMs));
      const request = new GetObjectCommand({ Bucket: this.bucket, Key: key });
      const url = await getSignedUrl(this.#client, request, { expiresIn: Math.floor(lifetimeMs / 1000) });
      return { url: withAlgorithmFirst(url), lifeMs };
    } catch (error) {
      throw this.#error(error, `sign a link to ${JSON.stringify(key)}`);
    }
  }

  /** The rules by which the bucket drops objects by itself; none where there are none. Rejects where we may not know. */
  async lifecycleRules(): Promise<readonly LifecycleRule[]> {
    try {
      const answer = await this.#client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: this.bucket }));
      return answer.Rules ?? [];
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchLifecycleConfiguration') return [];
      throw this.#error(error, 'tell its lifecycle');
    }
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #putWhole(key: string, body: Buffer, attributes: ObjectAttributes): Promise<void> {
    const request = { ...this.#head(key, attributes), Body: body, ContentLength: body.length };
    try {
      await this.#client.send(new PutObjectCommand(request));
    } catch (error) {
      throw this.#error(error, `store ${JSON.stringify(key)}`);
    }
  }

  /** The source's own error passes unchanged. */
  async #putStream(key: string, body: Readable, attributes: ObjectAttributes): Promise<void> {
    if (this.#streams >= streamsMax) throw tooManyStreams(streamsMax);
    this.#streams += 1;
    let part: Buffer | undefined;
    let parts: MultipartUpload | undefined;
    try {
      let filled = 0;
      for await (const chunk of body) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
        for (let at = 0; at < bytes.length; ) {
          part ??= await this.#buffers.take();
          const copied = bytes.copy(part, filled, at);
          at += copied;
          filled += copied;
          if (filled < part.length) continue;
          parts ??= await this.#beginParts(key, attributes);
          await parts.add(part);
          this.#buffers.giveBack(part);
          part = undefined;
          filled = 0;
        }
      }
      const rest = part?.subarray(0, filled) ?? Buffer.alloc(0);
      if (parts === undefined) return await this.#putWhole(key, rest, attributes);
      if (filled > 0) await parts.add(rest);
      await parts.complete();
    } catch (error) {
      await parts?.abort();
      throw error;
    } finally {
      this.#streams -= 1;
      if (part !== undefined) this.#buffers.giveBack(part);
    }
  }

  async #beginParts(key: string, attributes: ObjectAttributes): Promise<MultipartUpload> {
    const client = this.#client;
    const told = async <T>(work: Promise<T>) => {
      try {
        return await work;
      } catch (error) {
        throw this.#error(error, `store ${JSON.stringify(key)}`);
      }
    };
    // Amazon takes no part with a checksum of which the upload did not say so at its beginning, and the client does not say it by itself.
    const isChecked = (await client.config.requestChecksumCalculation()) === 'WHEN_SUPPORTED';
    const head = { ...this.#head(key, attributes), ...(isChecked ? { ChecksumAlgorithm: 'CRC32' as const } : {}) };
    const { UploadId } = await told(client.send(new CreateMultipartUploadCommand(head)));
    const upload = { Bucket: this.bucket, Key: key, UploadId };
    const done: CompletedPart[] = [];
    return {
      async add(bytes) {
        const PartNumber = done.length + 1;
        const request = { ...upload, PartNumber, Body: bytes, ContentLength: bytes.length };
        const { ETag, ChecksumCRC32 } = await told(client.send(new UploadPartCommand(request)));
        done.push({ ETag, ChecksumCRC32, PartNumber });
      },
      async complete() {
        await told(client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: done } })));
      },
      // Parts that stay behind go with the bucket's lifecycle.
      abort: () =>
        client.send(new AbortMultipartUploadCommand(upload)).then(
          () => undefined,
          () => undefined,
        ),
    };
  }

  #head(key: string, { contentType, metadata }: ObjectAttributes) {
    const { encryption, kmsKey } = this.#options.settings;
    return {
      Bucket: this.bucket,
      Key: key,
      ContentType: contentType ?? 'application/octet-stream',
      Metadata: metadata === undefined ? undefined : { ...metadata },
      ServerSideEncryption: encryption === '' ? undefined : encryption,
      SSEKMSKeyId: kmsKey === '' ? undefined : kmsKey,
    };
  }

  /** When those that the next link is signed with end, if they do; they are renewed first where that gives a link more of its time. */
  async #credentialsEnd(lifetimeMs: number): Promise<number | undefined> {
    const { clock } = this.#options;
    const wantedMs = Math.min(lifetimeMs, credentialMsMin);
    const endOf = ({ expiration }: { readonly expiration?: Date }) => expiration?.getTime();
    const endsAt = endOf(await this.#client.config.credentials());
    const isShort = endsAt !== undefined && endsAt - clock.now().getTime() < wantedMs;
    if (!isShort || clock.monotonicMs() - this.#renewedMs < renewEveryMs) return endsAt;
    this.#renewedMs = clock.monotonicMs();
    return endOf(await this.#client.config.credentials({ forceRefresh: true }));
  }

  #error(error: unknown, what: string): CcxError {
    return s3Error(error, what, this.#options);
  }
}

/** An object that is there once it is complete. */
interface MultipartUpload {
  add(bytes: Buffer): Promise<void>;
  complete(): Promise<void>;
  /** Never rejects. */
  abort(): Promise<void>;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}

/** The order of the query is not signed. The reference's pipeline follows a link only where these two come first. Source: data-pipeline.md 3.1. */
function withAlgorithmFirst(link: string): string {
  const [address = '', query = ''] = link.split('?', 2);
  const rank = (pair: string) => ['X-Amz-Algorithm=', 'X-Amz-Credential='].findIndex((name) => pair.startsWith(name));
  const pairs = query.split('&');
  const first = pairs.filter((pair) => rank(pair) >= 0).sort((a, b) => rank(a) - rank(b));
  return `${address}?${[...first, ...pairs.filter((pair) => rank(pair) < 0)].join('&')}`;
}
