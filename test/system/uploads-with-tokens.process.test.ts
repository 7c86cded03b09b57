/**
 * `ccx all-in-one` with a token file, as a proxy on the same machine, its own user and a hostile tenant meet it: nobody is believed without
 * a token, the process's own one opens the demonstration, `--once` and the printed line, and a cluster stays its organization's.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { encodeIdentity } from '../../src/contracts/identity.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import {
  type UploadAnswer,
  type UploadOptions,
  uploadArchive,
} from '../../src/tools/cluster-simulator/upload-archive.ts';
import { type CcxProcess, runCcx, startCcx } from '../support/ccx-process.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { tokensFile } from '../support/operator-tokens.ts';
import { identityOf } from '../support/owner-identity.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Only a failing test waits so long. */
const waitMsMax = 120_000;
const run = promisify(execFile);
const curlMissing = await run('curl', ['--version']).then(
  () => false as const,
  () => 'there is no curl here',
);

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const tokens = ['victim', 'evil'].map((name) => ({ sha256: sha256(name), org_id: name === 'evil' ? '666' : '7' }));

describe('ccx all-in-one with a token file', { skip: whyNoInstallation() }, () => {
  const folder = temporaryFolder();
  let installation: CcxProcess;
  let uploadUrl: string;
  let env: Record<string, string>;
  const data = join(folder, 'data');
  before(async () => {
    env = { CCX_INGRESS__GATEWAY__TOKENS_FILE: tokensFile({ tokens }) };
    installation = startCcx({ args: ['all-in-one', '--demo', '--port', '0', '--data', data], env });
    [, uploadUrl = ''] = await installation.waitForOutput(/^ {2}uploads +(http\S+)$/m, waitMsMax);
  });
  after(async () => {
    installation?.kill('SIGTERM');
    await installation?.exited(waitMsMax);
  });

  const archiveOf = (seed: string) =>
    simulateCluster({ seed, now: new Date(), findings: ['CONTROL_PLANE_NODE_REPLICAS'] });
  const upload = (options: Partial<UploadOptions>): Promise<UploadAnswer> =>
    uploadArchive({
      url: uploadUrl,
      gatheredAt: new Date(),
      archive: Buffer.from('x'),
      clusterId: undefined,
      ...options,
    });
  const tool = async (...args: string[]) => (await runCcx([...args, '--data', data])).stdout;
  /** Until the last hop, or until it stands still. */
  async function traced(requestId: string, pattern: RegExp): Promise<string> {
    const deadline = performance.now() + waitMsMax;
    for (;;) {
      const story = await tool('trace', requestId);
      if (pattern.test(story) || performance.now() > deadline) return story;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  test('the demonstration goes through', async () => {
    await installation.waitForOutput(/^A notification arrived\. Its owners would read:$/m, waitMsMax);
  });

  test('nobody is believed without a token, be it from this machine', async () => {
    const { clusterId, archive } = archiveOf('forged');
    const answer = await upload({ archive, clusterId, identity: encodeIdentity(identityOf(clusterId)) });
    assert.equal(answer.status, 401);
  });

  test('the printed curl line uploads an archive that names its cluster itself', { skip: curlMissing }, async () => {
    const { clusterId, archive } = archiveOf('by hand');
    await writeFile(join(folder, 'archive.tar.gz'), archive);
    const [line] = await installation.waitForOutput(/^ {2}curl .*$/m, waitMsMax);
    const { stdout } = await run('sh', ['-c', line!], { cwd: folder });
    const answer = JSON.parse(stdout) as { request_id: string; upload: { org_id: string } };
    assert.equal(answer.upload.org_id, '1');
    const story = await traced(answer.request_id, /^all 12 hops done/m);
    assert.match(story, /^all 12 hops done/m);
    assert.match(story, new RegExp(`^cluster +${clusterId}$`, 'm'));
    const [, url] = /(http\S+)$/.exec(line!)!;
    assert.match(line!, /^ {2}curl -sS -H 'Authorization: Bearer \S+' -F '\S+' http/);
    const [, token] = /Bearer (\S+)'/.exec(line!)!;
    const passedOn = await fetch(url!, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.9' },
    });
    assert.equal(passedOn.status, 401, 'it is of no use to whom a proxy speaks for');
  });

  test('a cluster stays its organization’s, whatever is announced and whatever the archive says', async () => {
    const { clusterId, archive } = archiveOf('victim');
    const first = await upload({ token: 'victim', archive, clusterId });
    assert.equal(first.status, 202, first.body);
    assert.match(await traced(first.requestId!, /^all 12 hops done/m), /^all 12 hops done/m);
    const before = await tool('explain', clusterId);

    const direct = await upload({ token: 'evil', archive, clusterId });
    assert.deepEqual(
      [direct.status, direct.body.trim()],
      [403, 'Upload denied: the cluster belongs to another organization'],
    );
    const nameless = await upload({ token: 'evil', archive });
    assert.equal(nameless.status, 400, 'the archive’s own word is not asked for');
    // His own cluster on the outside, the victim's inside.
    const disguise = '11111111-2222-4333-8444-555555555555';
    const disguised = await upload({ token: 'evil', archive, clusterId: disguise });
    assert.equal(disguised.status, 202);
    assert.match(
      await traced(disguised.requestId!, /hop 8 .*report stored/),
      new RegExp(`^cluster +${disguise}$`, 'm'),
    );
    assert.equal(await tool('explain', clusterId), before);

    const reused = await upload({ token: 'evil', archive, clusterId: disguise, requestId: first.requestId! });
    assert.notEqual(reused.requestId, first.requestId);
    assert.doesNotMatch(await tool('trace', first.requestId!), new RegExp(disguise));

    assert.match(await tool('clusters', 'list', '--org', '7'), new RegExp(`^${clusterId} {2}organization 7 {2}`));
    assert.match(
      await tool('clusters', 'move', clusterId.toUpperCase(), '666'),
      /belongs to organization 666 now; before: organization 7/,
    );
    assert.equal((await upload({ token: 'evil', archive, clusterId })).status, 202);
    assert.equal((await upload({ token: 'victim', archive, clusterId })).status, 403);
  });

  test('--once goes through, too, and says so where the header counts all the same', async () => {
    const file = join(folder, 'once.tar.gz');
    await writeFile(file, archiveOf('once').archive);
    const args = ['all-in-one', '--once', '--upload', file, '--port', '0', '--data', join(folder, 'once')];
    const once = await runCcx(args, { ...env, CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' });
    assert.deepEqual([once.code, once.stderr], [0, '']);
    assert.match(once.stdout, /^warning: gateway\.trust_identity_header is on: /m);
    assert.match(once.stdout, /^ {2}reports {11}1 published, 1 stored$/m);
    // Without a token file, on an address that others reach.
    const open = await runCcx([...args, '--host', '0.0.0.0']);
    assert.deepEqual([open.code, open.stderr], [0, '']);
    assert.match(open.stdout, /^warning: 0\.0\.0\.0 is open to others and there is no token file: whoever connects /m);
    const closed = await runCcx(args, env);
    assert.doesNotMatch(closed.stdout, /warning/);
  });
});
