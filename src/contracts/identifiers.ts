/** Identifiers that travel through the whole flow, and how they are recognised. */
import { createHash } from 'node:crypto';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uuid4Pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Hyphenated form, any version and case. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/**
 * What the ids of simulated clusters begin with: `ccx simulate --fleet` and the demonstration make them, and no installer does,
 * whose ids are UUIDs of version 4; version 8 is RFC 9562's for meanings of one's own. Nobody but a stand-in is notified about such a
 * cluster, and `ccx simulate --remove` takes it away.
 */
export const SIMULATED_CLUSTER_PREFIX = 'facade00-0000-8';

/** The one place that says so; statements compare `lower(cluster)` with the prefix. */
export function isSimulatedCluster(cluster: string): boolean {
  return cluster.slice(0, SIMULATED_CLUSTER_PREFIX.length).toLowerCase() === SIMULATED_CLUSTER_PREFIX;
}

/** What a column of organizations holds: the reference's are 32-bit integers. */
export const ORGANIZATION_MAX = 2 ** 31 - 1;

/** Undefined for a text that is no organization's number. */
export function parseOrgId(text: string): number | undefined {
  const number = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return number <= ORGANIZATION_MAX ? number : undefined;
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
