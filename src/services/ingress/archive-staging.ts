/**
 * An archive on its way into the object store while the form around it is still being read. It comes into being there only with `finish`,
 * so a form that turns out to be bad, or a client that goes away, leaves nothing. Made by `steps/receive-form.ts`.
 */
import { PassThrough } from 'node:stream';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { within } from '../../platform/clock/deadline.ts';
import type { ObjectMetadata, ObjectStore, StoredObject } from '../../platform/objects/object-store.ts';

/** From the last byte of the form until the object is durable; leaves the operator's 60 s some room. */
const stageMsMax = 45_000;

interface ArchiveStagingOptions {
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly key: string;
  readonly metadata: ObjectMetadata;
}

export class ArchiveStaging {
  readonly #clock: Clock;
  readonly #stream = new PassThrough();
  readonly #stored: Promise<StoredObject>;

  constructor(options: ArchiveStagingOptions) {
    this.#clock = options.clock;
    // A store that fails destroys the stream; what it says is reported by `finish`.
    this.#stream.on('error', () => undefined);
    this.#stored = options.objects.put(options.key, this.#stream, options.metadata);
    this.#stored.catch(() => this.#stream.destroy());
  }

  /** Waits until the store has room for more. Does nothing once the store has failed: the form is still read to its end. */
  async write(chunk: Buffer): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || stream.write(chunk)) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        stream.off('drain', go);
        stream.off('close', go);
        resolve();
      };
      stream.on('drain', go);
      stream.on('close', go);
    });
  }

  /** Resolves when the archive is durable. Rejects with the store's error, or `STAGE_TIMEOUT`. */
  async finish(): Promise<StoredObject> {
    if (!this.#stream.destroyed) this.#stream.end();
    try {
      return await within(this.#stored, { clock: this.#clock, ms: stageMsMax }, () => {
        throw tooSlow();
      });
    } catch (error) {
      this.#stream.destroy(new Error('given up'));
      throw error;
    }
  }

  /** Nothing is stored. Never rejects. */
  async abandon(): Promise<void> {
    this.#stream.destroy(new Error('the upload was refused'));
    await this.#stored.catch(() => undefined);
  }
}

function tooSlow(): CcxError {
  return new CcxError(`the archive was not stored within ${stageMsMax} ms`, {
    code: 'STAGE_TIMEOUT',
    category: 'storage',
    retryable: true,
  });
}
