/** Announcements and archives for tests of the data pipeline: valid unless a test says otherwise. */

import { encodeIdentity, type Identity } from '../../src/contracts/identity.ts';
import { HEADER_SERVICE, SERVICE_OPENSHIFT, TOPIC_UPLOAD_ANNOUNCE } from '../../src/contracts/topics.ts';
import { type FileToPack, packArchive } from '../../src/platform/archive/pack-archive.ts';
import type { BusRecord, OutgoingRecord } from '../../src/platform/bus/bus.ts';

export const testCluster = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
export const testOrg = 11789772;

export function testIdentity(change: Identity['identity'] = {}): Identity {
  return {
    identity: {
      account_number: '10',
      org_id: String(testOrg),
      type: 'System',
      auth_type: 'cert-auth',
      internal: { org_id: String(testOrg), auth_time: 0 },
      system: { cluster_id: testCluster },
      ...change,
    },
  };
}

/** The JSON members of an announcement; members set to undefined are left out. */
export function testAnnouncement(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    account: '10',
    category: 'periodic',
    content_type: 'application/vnd.redhat.openshift.periodic+tar',
    metadata: {
      reporter: 'ingress',
      stale_timestamp: '0001-01-01T00:00:00Z',
      custom_metadata: { gathering_time: '2026-01-30T10:08:55Z' },
    },
    request_id: 'req-1',
    principal: String(testOrg),
    org_id: String(testOrg),
    service: SERVICE_OPENSHIFT,
    size: 1000,
    url: 'http://127.0.0.1:1/archive',
    b64_identity: encodeIdentity(testIdentity()),
    timestamp: '2026-01-30T10:09:11.611Z',
    ...change,
  };
}

export function announcementRecord(change: Readonly<Record<string, unknown>> = {}): OutgoingRecord {
  return {
    topic: TOPIC_UPLOAD_ANNOUNCE,
    value: JSON.stringify(testAnnouncement(change)),
    headers: { [HEADER_SERVICE]: SERVICE_OPENSHIFT },
  };
}

/** A record as a consumer gets it. */
export function busRecord(value: string | Buffer | null, change: Partial<BusRecord> = {}): BusRecord {
  return {
    topic: TOPIC_UPLOAD_ANNOUNCE,
    partition: 0,
    offset: 0n,
    key: null,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: [{ name: HEADER_SERVICE, value: Buffer.from(SERVICE_OPENSHIFT) }],
    timestampMs: Date.parse('2026-11-21T15:59:59Z'),
    ...change,
  };
}

/** A small operator archive that names its cluster. */
export function testArchive(files: Readonly<Record<string, string>> = {}): Buffer {
  const content: Record<string, string> = {
    'config/id': testCluster,
    'config/version.json': JSON.stringify({
      apiVersion: 'config.openshift.io/v1',
      kind: 'ClusterVersion',
      metadata: { name: 'version' },
      spec: { clusterID: testCluster, channel: 'stable-4.17' },
      status: { desired: { version: '4.17.3' }, history: [{ state: 'Completed', version: '4.17.3' }] },
    }),
    ...files,
  };
  const packed: FileToPack[] = Object.entries(content).map(([path, body]) => ({ path, body }));
  return packArchive(packed);
}

/** Members of an announcement of an organization's cluster with that number. */
export function fromCluster(orgId: number, cluster: number) {
  const cluster_name = `00000000-0000-4000-8000-${String(cluster).padStart(12, '0')}`;
  const id = String(orgId);
  const b64_identity = encodeIdentity(testIdentity({ org_id: id, internal: { org_id: id, auth_time: 0 } }));
  return { cluster_name, org_id: id, b64_identity };
}
