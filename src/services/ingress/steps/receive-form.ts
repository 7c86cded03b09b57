/**
 * Reads the form once, as a stream: a large file goes on into the object store as it comes, nothing is spooled. Which part is the file, what a
 * wrong type or size means, and in which order these are found out is the reference's. Source: ingress.md A.4.2 to A.4.5.
 */
import type { AnnouncementMetadata } from '../../../contracts/upload-announcement.ts';
import { absentMetadata, decodeUploadMetadata } from '../../../contracts/upload-metadata.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import type { ObjectAttributes } from '../../../platform/objects/object-store.ts';
import { ArchiveStaging } from '../archive-staging.ts';
import { sizeLimit, type UploadType, uploadType } from '../decide/upload-type.ts';
import { MultipartReader, type PartHeader } from '../multipart-reader.ts';
import { EarlyReply, empty, json, type Reply, text, uploadBody } from '../reply.ts';
import { drainBytesMax, gather } from '../request-body.ts';
import type { IncomingUpload, ReceivedForm } from '../upload.ts';
import type { UploadDependencies } from '../upload-dependencies.ts';
import { bodyFailure, fileNotFound } from './admit-upload.ts';

/**
 * Everything of a form that is not the chosen file: boundaries, part headers, values, other parts. So much of values Go's parser takes with
 * the reference's `MaxUploadMem`; here they are read and thrown away.
 */
export const formOverheadBytesMax = 18 * 1024 ** 2;
/** It becomes part of the announcement, where a byte may become six (`\u003c`), and Kafka takes messages up to 1 MB. */
const metadataBytesMax = 128 * 1024;

/**
 * The operator, in its job mode, sends its next attempt from a file that it has already read to the end: an upload of 0 bytes that it takes
 * for a success. Nobody else's empty file is refused, as in the reference.
 */
const emptyRefusedFor = 'openshift';

export async function receiveForm(
  upload: IncomingUpload,
  principal: Principal,
  dependencies: UploadDependencies & { readonly boundary: string },
): Promise<ReceivedForm> {
  if (new URLSearchParams(upload.query).has('metadata')) dependencies.events.queryMetadataIgnored(upload);
  const reception = new FormReception(upload, principal, dependencies);
  try {
    return await reception.readForm(dependencies.boundary);
  } catch (error) {
    await reception.abandon();
    throw error instanceof EarlyReply ? error : bodyFailure(error);
  }
}

/** The part that will be the archive, unless a better one follows. */
interface Candidate {
  readonly name: 'file' | 'upload';
  readonly contentType: string;
  readonly type: UploadType | undefined;
  readonly bytesMax: number;
  readonly staging: ArchiveStaging | undefined;
  sizeBytes: number;
}

class FormReception {
  readonly #upload: IncomingUpload;
  readonly #principal: Principal;
  readonly #dependencies: UploadDependencies;
  #candidate: Candidate | undefined;
  /** Of an `upload` that a `file` has replaced. */
  #replacedBytes = 0;
  #metadataFile: Buffer | 'too large' | undefined;
  #metadataValue: Buffer | 'too large' | undefined;
  #testValue: Buffer | 'too large' | undefined;

  constructor(upload: IncomingUpload, principal: Principal, dependencies: UploadDependencies) {
    this.#upload = upload;
    this.#principal = principal;
    this.#dependencies = dependencies;
  }

  async readForm(boundary: string): Promise<ReceivedForm> {
    const reader = new MultipartReader({ next: () => this.#nextChunk() }, boundary);
    for (;;) {
      const part = await reader.nextPart();
      if (part === undefined) break;
      await this.#readPart(part, reader);
    }
    // What follows the last boundary has no meaning; the request has to be read to its end.
    while ((await this.#nextChunk()) !== undefined) {
      // Counted by the call.
    }
    return this.#result();
  }

  async abandon(): Promise<void> {
    await this.#candidate?.staging?.abandon();
  }

  async #nextChunk(): Promise<Buffer | undefined> {
    const { body } = this.#upload;
    const fileBytes = this.#replacedBytes + (this.#candidate?.sizeBytes ?? 0);
    if (body.bytesRead - fileBytes > formOverheadBytesMax) throw new EarlyReply(overheadTooLarge());
    return await body.next();
  }

  async #readPart(part: PartHeader, reader: MultipartReader): Promise<void> {
    if (part.filename !== '') {
      if ((part.name === 'file' || part.name === 'upload') && this.#mayBecomeTheArchive(part.name)) {
        await this.#readFile(part.name, part, reader);
      } else if (part.name === 'metadata') {
        this.#metadataFile ??= await collect(reader);
      }
    } else if (part.name === 'metadata') {
      this.#metadataValue ??= await collect(reader);
    } else if (part.name === 'test') {
      this.#testValue ??= await collect(reader);
    }
    // Whatever is left of the part, the reader skips.
  }

  /** The first `file` counts, and the first `upload` only where there is no `file`. */
  #mayBecomeTheArchive(name: 'file' | 'upload'): boolean {
    return this.#candidate === undefined || (this.#candidate.name === 'upload' && name === 'file');
  }

  async #readFile(name: 'file' | 'upload', part: PartHeader, reader: MultipartReader): Promise<void> {
    await this.abandon();
    this.#replacedBytes = this.#candidate?.sizeBytes ?? 0;
    const { settings } = this.#dependencies;
    const type = uploadType(part.contentType, settings.acceptedServices);
    const bytesMax = sizeLimit(type?.service, settings);
    const attributes = attributesOf(this.#upload.requestId, this.#principal);
    const staging =
      type === undefined
        ? undefined
        : new ArchiveStaging({ ...this.#dependencies, key: this.#upload.requestId, attributes });
    const candidate: Candidate = { name, contentType: part.contentType, type, bytesMax, staging, sizeBytes: 0 };
    this.#candidate = candidate;
    // A `file` is final: its refusal need not wait for the end of the form. An `upload` may still be replaced.
    const isFinal = name === 'file';
    if (type === undefined && isFinal) throw new EarlyReply(typeNotAccepted());
    for (;;) {
      const chunk = await reader.chunk();
      if (chunk === undefined) break;
      candidate.sizeBytes += chunk.length;
      if (candidate.sizeBytes <= bytesMax) await staging?.write(chunk);
      // So much more is read that an answer can say how large a file is that is only a little too large.
      else if (isFinal && candidate.sizeBytes > bytesMax + drainBytesMax) break;
      else if (candidate.sizeBytes - bytesMax <= chunk.length) await staging?.abandon();
    }
    if (isFinal && candidate.sizeBytes > bytesMax) throw new EarlyReply(tooLarge(bytesMax, candidate.sizeBytes));
  }

  #result(): ReceivedForm {
    const candidate = this.#candidate;
    if (candidate === undefined) {
      if (this.#testValue?.toString() !== 'test') throw new EarlyReply(fileNotFound());
      const { accountNumber, orgId } = this.#principal;
      throw new EarlyReply(json(200, uploadBody(this.#upload.requestId, accountNumber, orgId)));
    }
    const { contentType, type, sizeBytes, bytesMax, staging } = candidate;
    if (type === undefined || staging === undefined) throw new EarlyReply(typeNotAccepted());
    if (sizeBytes > bytesMax) throw new EarlyReply(tooLarge(bytesMax, sizeBytes));
    if (sizeBytes === 0 && type.service === emptyRefusedFor) {
      throw new EarlyReply(text(400, 'The archive is empty', 'ARCHIVE_EMPTY'));
    }
    // An empty value is none to Go; an empty file is one.
    const document = this.#metadataFile ?? (this.#metadataValue?.length === 0 ? undefined : this.#metadataValue);
    const metadata = this.#readMetadata(document);
    return { contentType, type, sizeBytes, staging, metadata, hasMetadata: document !== undefined };
  }

  #readMetadata(document: Buffer | 'too large' | undefined): AnnouncementMetadata {
    if (document === undefined) return absentMetadata;
    const { events, clock } = this.#dependencies;
    const decoding =
      document === 'too large'
        ? ({ kind: 'discarded', text: `it has more than ${metadataBytesMax} bytes` } as const)
        : decodeUploadMetadata(document, clock.nowMicros());
    if (decoding.kind === 'decoded') return decoding.metadata;
    events.metadataDiscarded(this.#upload, decoding.text);
    return absentMetadata;
  }
}

/**
 * What the reference keeps beside an object, whatever the archive's real type is. Identities may hold any text, and headers may not: what
 * does not fit is left out. Source: ingress.md A.6.1.
 */
function attributesOf(requestId: string, { accountNumber, orgId }: Principal): ObjectAttributes {
  const told = Object.entries({ requestid: requestId, account: accountNumber, org: orgId });
  return {
    contentType: 'application/gzip',
    metadata: Object.fromEntries(told.filter(([, value]) => /^[\x21-\x7e]{0,128}$/.test(value))),
  };
}

/** A small part as a whole. */
async function collect(reader: MultipartReader): Promise<Buffer | 'too large'> {
  return (await gather(() => reader.chunk(), metadataBytesMax)) ?? 'too large';
}

function typeNotAccepted(): Reply {
  return empty(415, 'CONTENT_TYPE_UNKNOWN');
}

function tooLarge(bytesMax: number, bytes: number): Reply {
  return text(413, `File exceeds maximum file size (${bytesMax}) for upload: ${bytes}`, 'FILE_TOO_LARGE');
}

/** What stands beside the file; the number is that of the form, whose file may be as small as it likes. */
function overheadTooLarge(): Reply {
  return text(413, `The form holds more than ${formOverheadBytesMax} bytes beside its file`, 'FORM_TOO_LARGE');
}
