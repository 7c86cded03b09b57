/**
 * Where archives lie between ingress and the data pipeline. Two adapters pass the same contract suite: a directory (embedded
 * default) and S3. Keys are request ids, or paths below `outbox/` that ingress keeps for itself.
 */
import type { Readable } from 'node:stream';

export interface ObjectMetadata {
  readonly contentType?: string;
  /** Short text values; names are lower case. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface StoredObject extends ObjectMetadata {
  readonly key: string;
  readonly sizeBytes: number;
  readonly storedAt: Date;
}

export interface ObjectStore {
  /** Stores the whole stream or nothing; durable when it resolves. An existing object of that key is replaced. */
  put(key: string, body: Readable | Buffer, metadata?: ObjectMetadata): Promise<StoredObject>;
  /** The object and its bytes, or undefined when there is none. The caller consumes or destroys the stream. */
  get(key: string): Promise<{ readonly object: StoredObject; readonly body: Readable } | undefined>;
  delete(key: string): Promise<void>;
  /** Keys with that prefix in ascending order, streamed. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Rejects with a clear `CcxError` when the store cannot be used now. */
  check(): Promise<void>;
}
