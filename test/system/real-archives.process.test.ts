/**
 * Genuine archives, not made by us, through the program as its user starts it: their issues are told once, told again only to say that they
 * are known, and one that is added is told alone. The archives lie beside the repository; where they do not, this is skipped.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type NotificationMessage, parseNotificationMessage } from '../../src/contracts/notification-message.ts';
import { openArchive } from '../../src/platform/archive/open-archive.ts';
import { packArchive } from '../../src/platform/archive/pack-archive.ts';
import { runCcx } from '../support/ccx-process.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const archives = fileURLToPath(new URL('../../../shared/data/archives', import.meta.url));
const genuine = join(archives, 'rapid-recommendations.tar.gz');
const documented = join(archives, 'insights-operator-docs-sample.tar.gz');
/** As the archives' `config/id` says. */
const genuineCluster = 'c25da893-5ba1-4229-9432-c8ec9334c4a0';
const documentedCluster = 'd669cb71-8256-4e8b-a8df-333a5e2dd753';

const skip = existsSync(genuine) ? whyNoInstallation() : `no real archives in ${archives}`;

/** Of `ccx all-in-one --once --json`. */
interface Summary {
  readonly uploads: number;
  readonly refused: number;
  readonly stored: number;
  readonly decisions: Readonly<Record<string, number>>;
  readonly notifications: Readonly<Record<string, number>>;
  readonly deadLetters: number;
}

describe('real archives', { skip }, () => {
  const folder = temporaryFolder();
  const earlier: { first?: Summary } = {};

  async function uploadAll(...files: string[]): Promise<Summary> {
    const where = ['--data', join(folder, 'data'), '--port', '0', '--log-level', 'error'];
    const uploads = files.flatMap((file) => ['--upload', file]);
    const { code, stdout, stderr } = await runCcx(['all-in-one', '--once', '--json', ...where, ...uploads]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Summary;
  }

  /** What the stand-in for the notifications backend has mailed so far, in order of arrival. */
  const mailed = async () =>
    (await received<{ outcome: string; body: string }>('notification-backend.jsonl')).map(({ outcome, body }) => {
      assert.equal(outcome, 'mailed');
      return parseNotificationMessage(body);
    });

  const entries = () => received<{ cluster_uuid: string; description: string }>('service-log.jsonl');

  async function received<T>(file: string): Promise<T[]> {
    const text = await readFile(join(folder, 'data', 'receivers', file), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as T]));
  }

  test('become reports, and both targets are told of their issues', async () => {
    const summary = await uploadAll(genuine, documented);
    earlier.first = summary;
    assert.deepEqual([summary.uploads, summary.refused, summary.stored, summary.deadLetters], [2, 0, 2, 0]);
    assert.ok(summary.decisions['new']! > 0);

    const messages = await mailed();
    assert.deepEqual(messages.map(clusterOf).sort(), [genuineCluster, documentedCluster]);
    assert.equal(summary.notifications['notification-backend'], 2);
    const told = messages.find((message) => clusterOf(message) === documentedCluster)!;
    const keys = errorKeysOf(told);
    for (const key of ['CONTROL_PLANE_NODE_REPLICAS', 'OCP4X_BEYOND_EOL']) assert.ok(keys.includes(key), keys.join());

    const logged = await entries();
    assert.equal(summary.notifications['service-log'], logged.length);
    for (const key of ['CONTROL_PLANE_NODE_REPLICAS', 'OCP4X_BEYOND_EOL']) {
      const about = logged.filter((entry) => entry.cluster_uuid === documentedCluster && mentions(entry, key));
      assert.equal(about.length, 1, key);
    }
    // Every new decision is told of exactly once: all of a cluster's in one message, and each by its own entry.
    const events = messages.reduce((count, message) => count + message.events.length, 0);
    assert.equal(summary.decisions['new'], events + logged.length);
  });

  test('uploaded again they tell nobody anything, and every decision has its reason', async () => {
    const before = [await mailed(), await entries()] as const;
    const summary = await uploadAll(genuine, documented);
    assert.deepEqual([summary.stored, summary.notifications], [2, {}]);
    const { new: told = 0, ...others } = earlier.first!.decisions;
    assert.deepEqual(summary.decisions, { 'already-notified': told, ...others });
    assert.deepEqual([await mailed(), await entries()], before);
  });

  test('with one thing more wrong, that one is told, alone, to both targets', async () => {
    const [mailedBefore, loggedBefore] = [await mailed(), await entries()];
    const changed = join(folder, 'changed.tar.gz');
    await writeFile(changed, await withPausedPool(documented));
    const summary = await uploadAll(changed);
    assert.equal(summary.decisions['new'], 2);
    assert.deepEqual(summary.notifications, { 'notification-backend': 1, 'service-log': 1 });

    const messages = (await mailed()).slice(mailedBefore.length);
    assert.deepEqual(messages.map(clusterOf), [documentedCluster]);
    assert.deepEqual(messages.flatMap(errorKeysOf), ['MCP_SET_TO_PAUSE']);
    const logged = (await entries()).slice(loggedBefore.length);
    assert.equal(logged.length, 1);
    assert.ok(mentions(logged[0]!, 'MCP_SET_TO_PAUSE'));
  });
});

/** The same archive, but for one file. */
async function withPausedPool(archive: string): Promise<Buffer> {
  const path = 'config/machineconfigpools/worker.json';
  const files = new Map(await openArchive(await readFile(archive)));
  const pool = JSON.parse(files.get(path)!.toString()) as { spec: Record<string, unknown> };
  files.set(path, Buffer.from(JSON.stringify({ ...pool, spec: { ...pool.spec, paused: true } })));
  return packArchive([...files].map(([name, body]) => ({ path: name, body })));
}

function clusterOf({ context }: NotificationMessage): string {
  return context.display_name;
}

/** The address of a rule ends with the error key. */
function errorKeysOf({ events }: NotificationMessage): string[] {
  return events.map(({ payload }) => payload.rule_url.slice(payload.rule_url.lastIndexOf('/') + 1));
}

function mentions({ description }: { readonly description: string }, errorKey: string): boolean {
  return description.includes(`|${errorKey})`);
}
