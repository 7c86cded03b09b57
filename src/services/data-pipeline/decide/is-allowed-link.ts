/**
 * Whether an archive's link may be followed. Announcements come from a topic that others can write to, so a link must not lead the
 * pipeline to arbitrary hosts. Source: data-pipeline.md 3.1.
 */
export interface LinkPolicy {
  /** Follows every http and https link: for installations whose object store has a name of its own and whose topic is closed. */
  readonly allowUnsafeLinks: boolean;
  /** Presigned links of Amazon S3: off where nothing of this installation announces such. */
  readonly presignedS3Links: boolean;
  /** `host`, `host:port` or `*.domain`; a host without port stands for the scheme's default port. */
  readonly allowedHosts: readonly string[];
}

/**
 * Presigned links of Amazon S3. Host labels are spelled out: the reference takes any character but a slash there, so that
 * `https://elsewhere.example?.s3.amazonaws.com/…` passes its check and leads elsewhere.
 */
const presignedPatterns = [
  '[A-Za-z0-9.-]+\\.s3\\.amazonaws\\.com/[A-Za-z0-9/-]+',
  's3\\.[a-z0-9-]+\\.amazonaws\\.com/[A-Za-z0-9-]+/[A-Za-z0-9/-]+',
].map((target) => new RegExp(`^https://${target}\\?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=[^/\\s]+$`));

export function isAllowedLink(link: string, policy: LinkPolicy): boolean {
  if (policy.presignedS3Links && presignedPatterns.some((pattern) => pattern.test(link))) return true;
  const url = URL.parse(link);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  // A name and password in a link would be sent; nothing that we read announces such.
  if (url.username !== '' || url.password !== '') return false;
  return (
    policy.allowUnsafeLinks || policy.allowedHosts.some((pattern) => matchesHost(url, pattern.trim().toLowerCase()))
  );
}

function matchesHost(url: URL, pattern: string): boolean {
  if (pattern === '') return false;
  if (pattern.startsWith('*.')) return url.host.endsWith(pattern.slice(1)) && url.host.length > pattern.length - 1;
  return url.host === pattern;
}

/** What the status of a download's answer means. The reference never looks at it. Source: data-pipeline.md 3.1. */
type AnswerVerdict =
  | 'archive'
  /** The same request may succeed later. */
  | 'try-again'
  /** It will not: expired, forbidden, gone, or led elsewhere. */
  | 'never';

/** 408 Request Timeout, 425 Too Early, 429 Too Many Requests. */
const passing: ReadonlySet<number> = new Set([408, 425, 429]);

export function judgeAnswer(status: number): AnswerVerdict {
  if (status === 200) return 'archive';
  return status >= 500 || passing.has(status) ? 'try-again' : 'never';
}
