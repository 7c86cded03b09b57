/**
 * Where archives lie between ingress and the data pipeline: a directory, or a bucket of S3. Both pass the contract suite
 * (`object-store.contract.ts`). Keys are request ids, or paths below the reserved folders that ingress keeps for itself.
 */
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** Announcements that wait for the bus. */
export const OUTBOX_PREFIX = 'outbox/';
/** What ingress processes share, such as the keys that sign download links. Never given out. */
export const INGRESS_PREFIX = 'ingress/';

const reservedPrefixes = [OUTBOX_PREFIX, INGRESS_PREFIX] as const;

/**
 * Whether a key lies in a reserved folder. Request ids come from clients: one that passes for a key in there would let a client write
 * announcements of its own or read the signing keys, so ingress refuses it on the way in and on the way out.
 */
export function isReservedKey(key: string): boolean {
  return reservedPrefixes.some((prefix) => key.startsWith(prefix));
}

export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly storedAt: Date;
}

/** Both ends belong to it, as in HTTP; they must lie within the object. */
export interface ByteRange {
  readonly start: number;
  readonly endInclusive: number;
}

/** What a store that serves its objects itself says of one, or keeps beside it; a directory keeps none of it. */
export interface ObjectAttributes {
  readonly contentType?: string;
  /** Names of letters, values of printable ASCII. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface SignedLink {
  readonly url: string;
  /** How long it really lives: no longer than the credentials that it was signed with. */
  readonly lifeMs: number;
}

export interface ObjectStore {
  /** Stores the whole stream or nothing; durable when it resolves. An existing object of that key is replaced. A failed stream is destroyed. */
  put(key: string, body: Readable | Buffer, attributes?: ObjectAttributes): Promise<void>;
  /** The object and its bytes (or a part of them), or undefined when there is none. The caller consumes or destroys the stream. */
  get(key: string, range?: ByteRange): Promise<{ readonly object: StoredObject; readonly body: Readable } | undefined>;
  /**
   * The object as an open file, for whoever can read one itself, or undefined when there is none; the caller closes it. Absent where objects
   * are no files of this machine.
   */
  readonly openFile?: (key: string) => Promise<FileHandle | undefined>;
  /** Removes the object; nothing happens where there is none. */
  delete(key: string): Promise<void>;
  /** Keys with that prefix in ascending order of their UTF-8 bytes, streamed. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Rejects with a clear `CcxError` when the store cannot be used now. */
  check(): Promise<void>;
  /** Bytes that the disk below it has left, for whoever watches. Absent where there is none that fills up. */
  readonly freeBytes?: () => Promise<number>;
  /**
   * A link by which anybody who has it can read the object for that time, where the store itself serves objects. Absent where it
   * does not: ingress then serves them at `/download/{id}`.
   */
  signLink?(key: string, lifetimeMs: number): Promise<SignedLink>;
}
