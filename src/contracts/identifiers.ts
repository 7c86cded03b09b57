/** Identifiers that travel through the whole flow, and how they are recognised. */
import { createHash } from 'node:crypto';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uuid4Pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Hyphenated form, any version and case. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** What a column of organizations holds: the reference's are 32-bit integers. */
const orgIdMax = 2 ** 31 - 1;

/** Undefined for a text that is no organization's number. */
export function parseOrgId(text: string): number | undefined {
  const number = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return number <= orgIdMax ? number : undefined;
}

/** What `rh-message-id` must be: hyphenated, version nibble 4. Source: consumers.md 1.4. */
export function isUuid4(text: string): boolean {
  return uuid4Pattern.test(text);
}

/** What an index of PostgreSQL takes with room to spare; ours are 32 bytes. */
const storedRequestIdBytesMax = 255;

/**
 * A request id as tables keep it. It is the sender's text: one that is too long for an index, or that PostgreSQL cannot hold, is kept
 * as its digest, so that equal ids stay equal and different ids different. Writers and readers of such columns both use this.
 */
export function storedRequestId(requestId: string): string {
  if (!requestId.includes('\0') && Buffer.byteLength(requestId) <= storedRequestIdBytesMax) return requestId;
  return `sha256:${createHash('sha256').update(requestId).digest('hex')}`;
}
