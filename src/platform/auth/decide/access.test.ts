/** Every kind of reach against every kind of owner: who may read a cluster, change it, or change a whole organization. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AccessDecision,
  decideClusterChange,
  decideClusterRead,
  decideOrganizationChange,
  type KnownOwner,
  type Reach,
} from './access.ts';

const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const token = 'a'.repeat(64);

const owners = {
  nobody: undefined,
  'own, by this token': { orgId: 7, tokenSha256: token },
  'own, by another token': { orgId: 7, tokenSha256: 'b'.repeat(64) },
  'own, by a person': { orgId: 7, tokenSha256: null },
  foreign: { orgId: 8, tokenSha256: token },
} as const satisfies Record<string, KnownOwner | undefined>;

const reaches = {
  everything: { kind: 'everything' },
  organization: { kind: 'organization', orgId: 7 },
  'this cluster': { kind: 'cluster', orgId: 7, cluster },
  'another cluster': { kind: 'cluster', orgId: 7, cluster: cluster.replace('8', '9') },
  'first uploads': { kind: 'first-uploads', orgId: 7, tokenSha256: token },
  nothing: { kind: 'nothing' },
} as const satisfies Record<string, Reach>;

type Reason = AccessDecision['reason'];

const all = <T>(value: T) => ({
  nobody: value,
  'own, by this token': value,
  'own, by another token': value,
  'own, by a person': value,
  foreign: value,
});

const reads: Readonly<Record<keyof typeof reaches, Readonly<Record<keyof typeof owners, Reason>>>> = {
  everything: all('everything'),
  organization: { ...all<Reason>('own-organization'), foreign: 'another-organization' },
  'this cluster': { ...all<Reason>('own-cluster'), foreign: 'another-organization' },
  'another cluster': all('another-cluster'),
  'first uploads': {
    nobody: 'nobodys-cluster',
    'own, by this token': 'first-upload',
    'own, by another token': 'another-token',
    'own, by a person': 'another-token',
    foreign: 'another-organization',
  },
  nothing: all('nothing-granted'),
};

const allowing: ReadonlySet<Reason> = new Set(['everything', 'own-organization', 'own-cluster', 'first-upload']);

for (const [title, row] of Object.entries(reads)) {
  const reach = reaches[title as keyof typeof reaches];
  test(`reach: ${title}`, () => {
    for (const [whose, reason] of Object.entries(row)) {
      const owner = owners[whose as keyof typeof owners];
      const read = decideClusterRead({ reach, mayWrite: false }, { cluster, owner });
      assert.deepEqual([read.reason, read.allowed], [reason, allowing.has(reason)], whose);
      // Nobody but who may see everything is led to rows of another organization.
      if (read.allowed) assert.equal(read.orgId, reach.kind === 'everything' ? owner?.orgId : 7, whose);
      assert.deepEqual(decideClusterChange({ reach, mayWrite: true }, { cluster, owner }), read, whose);
      const change = decideClusterChange({ reach, mayWrite: false }, { cluster, owner });
      assert.deepEqual(change, read.allowed ? { allowed: false, reason: 'no-write-scope' } : read, whose);
    }
  });
}

test('what holds for a whole organization is changed by whom the whole organization is open to', () => {
  const change = (reach: Reach, { mayWrite = true, orgId = 7 } = {}) =>
    decideOrganizationChange({ reach, mayWrite }, orgId).reason;
  assert.deepEqual(
    Object.entries(reaches).map(([title, reach]) => [title, change(reach), change(reach, { orgId: 8 })]),
    [
      ['everything', 'everything', 'everything'],
      ['organization', 'own-organization', 'another-organization'],
      ['this cluster', 'only-single-clusters', 'another-organization'],
      ['another cluster', 'only-single-clusters', 'another-organization'],
      ['first uploads', 'only-single-clusters', 'another-organization'],
      ['nothing', 'nothing-granted', 'nothing-granted'],
    ],
  );
  assert.equal(change(reaches.organization, { mayWrite: false }), 'no-write-scope');
  assert.equal(change(reaches.everything, { mayWrite: false }), 'no-write-scope');
});
