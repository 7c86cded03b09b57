/**
 * What S3 and the way to it say, told in our codes with the setting that mends it. Pure. All of them may pass without anybody touching the
 * archive, so all are retryable; `isFinalAtStart` says which no waiting will mend.
 */
import { CcxError, type ErrorCategory } from '../../../encoding/ccx-error.ts';
import type { S3SettingNames, S3Settings } from './s3-settings.ts';

interface Meaning {
  readonly code: string;
  readonly category: ErrorCategory;
  readonly why: string;
  readonly hint: string;
}

interface S3ErrorContext {
  readonly settings: Pick<S3Settings, 'bucket' | 'endpoint' | 'accessKey'>;
  readonly names: S3SettingNames;
}

/** Codes of what somebody has to mend first. */
const finalAtStart: ReadonlySet<string> = new Set([
  'OBJECTS_BUCKET_MISSING',
  'OBJECTS_DENIED',
  'OBJECTS_LOGIN',
  'OBJECTS_REGION',
  'OBJECTS_TLS',
]);

export function isFinalAtStart(error: unknown): boolean {
  return error instanceof CcxError && finalAtStart.has(error.code);
}

/** `what`: `store "abc"`. An error that is ours already stays what it is. */
export function s3Error(error: unknown, what: string, context: S3ErrorContext): CcxError {
  if (error instanceof CcxError) return error;
  const { code, category, why, hint } = meaningOf(factsOf(error), context);
  return new CcxError(`the S3 bucket ${context.settings.bucket} cannot ${what}: ${why}`, {
    ...{ code, category, retryable: true, hint },
    cause: error,
  });
}

interface ErrorFacts {
  /** The `Code` of S3, or Node's. */
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
}

function factsOf(error: unknown): ErrorFacts {
  if (!(error instanceof Error)) return { name: '', status: undefined, message: String(error) };
  const { code, $metadata } = error as { readonly code?: unknown; readonly $metadata?: { httpStatusCode?: number } };
  // Where Node has failed, the SDK keeps its code and calls the error a mere `Error`, or by its own name.
  const name = typeof code === 'string' && code !== '' ? code : error.name;
  // OpenSSL ends its messages with a line break.
  return { name, status: $metadata?.httpStatusCode, message: error.message.trim() };
}

const loginRefused = new Set([
  'AuthFailure',
  'CredentialsProviderError',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'InvalidIdentityToken',
  'InvalidSecurity',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);
const loginEnded = new Set(['ExpiredToken', 'ExpiredTokenException', 'InvalidToken', 'TokenRefreshRequired']);
const otherRegion = new Set([
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
  'PermanentRedirect',
  'Redirect',
]);
const unreachable = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'RequestTimeout',
  'RequestTimeoutException',
  'TimeoutError',
]);

function meaningOf({ name, status, message }: ErrorFacts, context: S3ErrorContext): Meaning {
  const { settings, names } = context;
  const where = settings.endpoint === '' ? 'Amazon S3' : settings.endpoint;
  const why = status === undefined ? message : `${where} answered ${status} ${name}`;
  if (loginEnded.has(name)) {
    const hint = 'renew the credentials: they have ended, or are not those of this account';
    return { code: 'OBJECTS_LOGIN', category: 'configuration', why, hint };
  }
  if (loginRefused.has(name))
    return { code: 'OBJECTS_LOGIN', category: 'configuration', why, hint: loginHint(context) };
  if (name === 'NoSuchBucket') {
    const hint = `create the bucket, or set ${names.bucket}`;
    return { code: 'OBJECTS_BUCKET_MISSING', category: 'configuration', why, hint };
  }
  if (otherRegion.has(name) || status === 301) {
    // Amazon says which: "the region 'us-east-1' is wrong; expecting 'eu-west-1'".
    const expected = /expecting '([^']+)'/.exec(message)?.[1];
    const hint = `set ${names.region} to ${expected ?? 'the region of the bucket'}`;
    return { code: 'OBJECTS_REGION', category: 'configuration', why: `${why}: another region`, hint };
  }
  if (name === 'RequestTimeTooSkewed') {
    return { code: 'OBJECTS_CLOCK', category: 'connection', why, hint: 'set the clock of this machine' };
  }
  if (status === 403) {
    const rights =
      's3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and, on the bucket, s3:ListBucket';
    const hint = `give the credentials ${rights}, or set ${names.bucket} to another bucket`;
    return { code: 'OBJECTS_DENIED', category: 'configuration', why, hint };
  }
  if (status === 507 || /StorageFull|QuotaExceeded|InsufficientCapacity/i.test(name)) {
    return { code: 'OBJECTS_FULL', category: 'storage', why, hint: 'give the store more room' };
  }
  if (/^(ERR_TLS|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO|ERR_SSL)/.test(name)) {
    const hint = `set ${names.caFile} to the store's certificate authority, or check ${names.endpoint} and whether it speaks TLS`;
    return { code: 'OBJECTS_TLS', category: 'configuration', why: message, hint };
  }
  if (unreachable.has(name)) {
    const hint = `check that ${where} runs and can be reached from here, and ${names.endpoint}`;
    return { code: 'OBJECTS_AWAY', category: 'connection', why: `${where} cannot be reached: ${message}`, hint };
  }
  if (status !== undefined && (status >= 500 || status === 429)) {
    const hint = `look at ${where}; requests are tried again`;
    return { code: 'OBJECTS_AWAY', category: 'connection', why, hint };
  }
  return {
    code: 'OBJECTS_UNAVAILABLE',
    category: 'storage',
    why,
    hint: `check ${names.endpoint}: is it an S3 server?`,
  };
}

function loginHint({ settings, names }: S3ErrorContext): string {
  return settings.accessKey === ''
    ? `set ${names.accessKey} and ${names.secretKey}, or what AWS's own chain reads: AWS_ACCESS_KEY_ID, a profile, a role`
    : `check ${names.accessKey} and ${names.secretKey}`;
}

/** More large archives at once than there is memory for. */
export function tooManyStreams(streamsMax: number): CcxError {
  return new CcxError(`${streamsMax} archives are being sent to S3 already`, {
    code: 'OBJECTS_BUSY',
    category: 'limit',
    retryable: true,
    hint: 'run more ingress processes',
  });
}
