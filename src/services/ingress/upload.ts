/** One upload on its way through ingress; what the steps hand to each other. */
import type { AnnouncementMetadata } from '../../contracts/upload-announcement.ts';
import type { Credentials } from '../../platform/auth/authenticator.ts';
import type { ArchiveStaging } from './archive-staging.ts';
import type { UploadType } from './decide/upload-type.ts';
import type { RequestBody } from './request-body.ts';

/** A request to `POST …/upload`, before anything of it is believed. */
export interface IncomingUpload extends Credentials {
  readonly requestId: string;
  readonly contentType: string | undefined;
  /** Of the URL, without the question mark. */
  readonly query: string;
  /** For the log only. */
  readonly clientAddress: string;
  readonly body: RequestBody;
  /** Monotonic milliseconds. */
  readonly receivedMs: number;
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
