/** What somebody who reads is granted, by each way to say who they are; uploads are in the tests of ingress. Source: ingress.md C.2. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { agent, cluster, otherCluster, sha256, tokensFile } from '../../../test/support/operator-tokens.ts';
import { encodeIdentity, type Identity } from '../../contracts/identity.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { type Authenticator, type Credentials, createAuthenticator } from './authenticator.ts';
import { openTokenFile } from './token-table.ts';

const entries = [
  { sha256: sha256('old'), org_id: '7' },
  { sha256: sha256('bound'), org_id: '7', cluster_id: cluster.toUpperCase(), name: 'cluster one' },
  { sha256: sha256('hub'), org_id: '7', cluster_id: cluster, scopes: ['cluster', 'organization'], name: 'hub' },
  { sha256: sha256('reads'), org_id: '7', scopes: ['organization', 'write'] },
];

async function readBy(
  given: Partial<Credentials>,
  options: Partial<Parameters<typeof createAuthenticator>[0]> & { readonly withTokens?: boolean } = {},
): Promise<unknown> {
  const { withTokens = true, ...others } = options;
  const tokens = withTokens ? await table() : undefined;
  const authenticator = createAuthenticator({ authEnabled: true, tokens, trustIdentityHeader: false, ...others });
  return said(await authenticator.authenticateReader({ ...nobody, ...given }));
}

async function table() {
  const clock = createManualClock();
  const path = tokensFile({ tokens: entries });
  return await openTokenFile({ path, clock, onLoaded: () => undefined, onFailed: assert.ifError });
}

const nobody: Credentials = { identityHeader: undefined, authorization: undefined, userAgent: 'curl/8', isLocal: true };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const identity = (document: Identity['identity']) => ({
  identityHeader: encodeIdentity({ identity: { org_id: '7', internal: { org_id: '7' }, ...document } }),
});

function said(answer: Awaited<ReturnType<Authenticator['authenticateReader']>>): unknown {
  if (answer.kind === 'refused') return [answer.refusal.status, answer.refusal.code];
  const { reach, mayWrite, who } = answer.reader;
  return { ...reach, mayWrite, who };
}

describe('by a token', () => {
  test('an entry without scopes, as older files have them, reads its cluster or what it was first to', async () => {
    const who = `token ${sha256('old').slice(0, 12)}`;
    const first = { kind: 'first-uploads', orgId: 7, tokenSha256: sha256('old'), mayWrite: false, who };
    assert.deepEqual(await readBy(bearer('old')), first);
    // Which cluster it is would be the caller's own word.
    assert.deepEqual(await readBy({ ...bearer('old'), userAgent: agent(otherCluster) }), first);
    assert.deepEqual(await readBy(bearer('bound')), {
      ...{ kind: 'cluster', orgId: 7, cluster, mayWrite: false, who: 'token cluster one' },
    });
  });

  test('a hub reads its organization, and changes nothing without the scope for it', async () => {
    assert.deepEqual(await readBy(bearer('hub')), {
      ...{ kind: 'organization', orgId: 7, mayWrite: false, who: 'token hub' },
    });
    assert.deepEqual(await readBy(bearer('reads')), {
      ...{ kind: 'organization', orgId: 7, mayWrite: true, who: `token ${sha256('reads').slice(0, 12)}` },
    });
  });

  test('one without the scope cluster uploads nothing', async () => {
    const authenticator = createAuthenticator({ authEnabled: true, tokens: await table(), trustIdentityHeader: false });
    const upload = async (token: string) => {
      const answer = await authenticator.authenticate({ ...nobody, ...bearer(token), userAgent: agent(cluster) });
      return answer.kind === 'refused' ? [answer.refusal.status, answer.refusal.code] : answer.principal.orgId;
    };
    assert.deepEqual(await upload('reads'), [403, 'TOKEN_WITHOUT_SCOPE']);
    assert.equal(await upload('hub'), '7');
  });

  test('who brings none, or one that nobody knows, is told so, whatever identity comes along', async () => {
    assert.deepEqual(await readBy(bearer('bad')), [401, 'TOKEN_UNKNOWN']);
    assert.deepEqual(await readBy(bearer(sha256('old'))), [401, 'TOKEN_UNKNOWN']);
    assert.deepEqual(await readBy(identity({ type: 'User' })), [401, 'TOKEN_MISSING']);
    const trusting = { trustIdentityHeader: true };
    assert.deepEqual(await readBy({ ...bearer('bad'), ...identity({ type: 'User' }) }, trusting), [
      401,
      'TOKEN_UNKNOWN',
    ]);
  });
});

test('an identity reads where an upload would believe it, never writes, and a system’s is its cluster’s', async () => {
  const who = 'identity of organization 7';
  for (const options of [{ withTokens: false }, { trustIdentityHeader: true }]) {
    const user = { kind: 'organization', orgId: 7, mayWrite: false, who };
    assert.deepEqual(await readBy(identity({ type: 'User' }), options), user);
    const system = identity({ type: 'System', system: { cluster_id: cluster.toUpperCase() } });
    assert.deepEqual(await readBy(system, options), { kind: 'cluster', orgId: 7, cluster, mayWrite: false, who });
    const nothing = { kind: 'nothing', mayWrite: false };
    assert.deepEqual(await readBy(identity({ type: 'System' }), options), { ...nothing, who });
    const unnumbered = identity({ type: 'User', org_id: 'x', internal: { org_id: 'x' } });
    assert.deepEqual(await readBy(unnumbered, options), { ...nothing, who: 'identity of organization none' });
    assert.deepEqual(await readBy({}, options), [400, 'IDENTITY_MISSING']);
  }
});

test('this process’s own token sees everything from this machine, and where authentication is off nobody else does', async () => {
  const ownToken = { token: 'own', orgId: '1', accountNumber: '1' };
  const everything = { kind: 'everything', mayWrite: true, who: 'own token' };
  assert.deepEqual(await readBy(bearer('own'), { ownToken }), everything);
  assert.deepEqual(await readBy({ ...bearer('own'), isLocal: false }, { ownToken }), [401, 'TOKEN_UNKNOWN']);
  assert.deepEqual(await readBy(bearer('own'), { ownToken, authEnabled: false }), everything);
  assert.deepEqual(await readBy(identity({ type: 'User' }), { authEnabled: false }), [401, 'AUTHENTICATION_OFF']);
});
