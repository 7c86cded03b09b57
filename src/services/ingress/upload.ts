/** One upload on its way through ingress; what the steps hand to each other. */
import type { AnnouncementMetadata } from '../../contracts/upload-announcement.ts';
import type { ArchiveStaging } from './archive-staging.ts';
import type { Claimant } from './decide/cluster-owner.ts';
import type { UploadType } from './decide/upload-type.ts';
import type { Reply } from './web/reply.ts';
import type { RequestBody } from './web/request-body.ts';

/** A request to `POST …/upload`, before anything of it is believed. */
export interface IncomingUpload {
  readonly requestId: string;
  readonly contentType: string | undefined;
  /** Of the URL, without the question mark. */
  readonly query: string;
  readonly userAgent: string;
  readonly identityHeader: string | undefined;
  readonly authorization: string | undefined;
  /** It comes from this machine, and nobody has passed it on. */
  readonly isLocal: boolean;
  /** For the log only. */
  readonly clientAddress: string;
  readonly body: RequestBody;
  /** Monotonic milliseconds. */
  readonly receivedMs: number;
}

/** Who uploads; empty texts where nothing is known (authentication off, or an identity without an organization). */
export interface Principal {
  readonly accountNumber: string;
  readonly orgId: string;
  readonly type: string;
  readonly x509SubjectDn: string;
  /** What the announcement passes on as `b64_identity`. */
  readonly identityHeader: string;
  /** For which cluster, and what vouches for it; undefined where nothing names one. */
  readonly claimant?: Claimant | undefined;
  /** Hexadecimal; undefined where no token was brought. */
  readonly tokenSha256?: string;
  /** Only whoever has this process's own token: they see everything here anyway, and nothing is believed of a cluster for it. */
  readonly mayOmitCluster: boolean;
}

/** A form that was read to its end. The archive lies in the store's hands, but does not exist there before `staging.finish()`. */
export interface ReceivedForm {
  readonly contentType: string;
  readonly type: UploadType;
  readonly sizeBytes: number;
  readonly staging: ArchiveStaging;
  readonly metadata: AnnouncementMetadata;
  /** Whether there was any metadata, readable or not. */
  readonly hasMetadata: boolean;
}

/** What a step answers: the value for the next one, or what the client is told. */
export type StepResult<T> =
  | { readonly kind: 'next'; readonly value: T }
  | { readonly kind: 'reply'; readonly reply: Reply };

export function next<T>(value: T): StepResult<T> {
  return { kind: 'next', value };
}

export function reply(answer: Reply): StepResult<never> {
  return { kind: 'reply', reply: answer };
}
