/**
 * An archive on its way into the object store while the form around it is still being read. It comes into being there only with `finish`,
 * so a form that turns out to be bad, or a client that goes away, leaves nothing. Made by `steps/receive-form.ts`.
 *
 * An ordinary archive is gathered in memory and handed over whole, which costs the store one write and a bad form none. What is larger, or
 * finds the memory taken by others, goes on as a stream.
 */
import { PassThrough } from 'node:stream';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { within } from '../../platform/clock/deadline.ts';
import type { ObjectAttributes, ObjectStore } from '../../platform/objects/object-store.ts';

/** From the last byte of the form until the object is durable; leaves the operator's 60 s some room. */
const stageMsMax = 45_000;
/** A store that takes nothing more of a large archive for so long is given up; a part of 5 MiB at 170 kB/s takes it. */
const roomMsMax = 30_000;
/** Whoever is refused does not wait any longer for the store to let go of what it had taken. */
const abandonMsMax = 5_000;
/** A larger archive is streamed. */
export const gatheredBytesMax = 1024 ** 2;
/** Of all archives that are gathered at once, also while they are stored. */
const gatheredBytesInAllMax = 16 * 1024 ** 2;

/** What all uploads of one ingress may gather. */
export class GatheringMemory {
  #taken = 0;

  /** Whether there is room for so much more; it is then taken. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > gatheredBytesInAllMax) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes;
  }
}

interface ArchiveStagingOptions {
  readonly objects: ObjectStore;
  readonly memory: GatheringMemory;
  readonly clock: Clock;
  readonly key: string;
  readonly attributes: ObjectAttributes;
}

export class ArchiveStaging {
  readonly #options: ArchiveStagingOptions;
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  /** Absent while the archive is gathered. */
  #streaming: { readonly stream: PassThrough; readonly stored: Promise<void> } | undefined;
  /** Why the store was given up before the form had ended. */
  #givenUp: CcxError | undefined;

  constructor(options: ArchiveStagingOptions) {
    this.#options = options;
  }

  /** Waits until the store has room for more. Does nothing once the store has failed: the form is still read to its end. */
  async write(chunk: Buffer): Promise<void> {
    if (this.#streaming === undefined) {
      const fits = this.#gatheredBytes + chunk.length <= gatheredBytesMax && this.#options.memory.take(chunk.length);
      if (fits) {
        this.#gathered.push(chunk);
        this.#gatheredBytes += chunk.length;
        return;
      }
      this.#streaming = this.#beginStreaming();
      for (const earlier of this.#gathered) await this.#pass(earlier);
      this.#forget();
    }
    await this.#pass(chunk);
  }

  /** Resolves when the archive is durable. Rejects with the store's error, or `STAGE_TIMEOUT`. */
  async finish(): Promise<void> {
    if (this.#givenUp !== undefined) throw this.#givenUp;
    const { clock, objects, key, attributes } = this.#options;
    const stream = this.#streaming?.stream;
    if (stream?.destroyed === false) stream.end();
    const stored = this.#streaming?.stored ?? objects.put(key, Buffer.concat(this.#gathered), attributes);
    // Also where it is given up: the memory is taken until the store lets go of it.
    stored.catch(() => undefined).finally(() => this.#forget());
    try {
      await within(stored, { clock, ms: stageMsMax }, () => {
        throw tooSlow(`the archive was not stored within ${stageMsMax} ms`);
      });
    } catch (error) {
      stream?.destroy(new Error('given up'));
      throw error;
    }
  }

  /** Nothing is stored. Never rejects. */
  async abandon(): Promise<void> {
    this.#forget();
    if (this.#streaming === undefined) return;
    const { stream, stored } = this.#streaming;
    stream.destroy(new Error('the upload was refused'));
    const letGo = stored.catch(() => undefined);
    await within(letGo, { clock: this.#options.clock, ms: abandonMsMax }, () => undefined);
  }

  #beginStreaming() {
    const { objects, key, attributes } = this.#options;
    const stream = new PassThrough();
    // A store that fails destroys the stream; what it says is reported by `finish`.
    stream.on('error', () => undefined);
    const stored = objects.put(key, stream, attributes);
    stored.catch(() => stream.destroy());
    return { stream, stored };
  }

  async #pass(chunk: Buffer): Promise<void> {
    const stream = this.#streaming?.stream;
    if (stream === undefined || stream.destroyed || stream.write(chunk)) return;
    const room = new Promise<void>((resolve) => {
      const go = () => {
        stream.off('drain', go);
        stream.off('close', go);
        resolve();
      };
      stream.on('drain', go);
      stream.on('close', go);
    });
    await within(room, { clock: this.#options.clock, ms: roomMsMax }, () => {
      this.#givenUp = tooSlow(`the store took nothing more of the archive for ${roomMsMax} ms`);
      stream.destroy(new Error('given up'));
    });
  }

  #forget(): void {
    this.#options.memory.giveBack(this.#gatheredBytes);
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }
}

function tooSlow(message: string): CcxError {
  return new CcxError(message, {
    code: 'STAGE_TIMEOUT',
    category: 'storage',
    retryable: true,
  });
}
