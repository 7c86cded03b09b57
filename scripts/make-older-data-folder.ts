/**
 * Makes `test/fixtures/data-folder-9e6a6cf.tar.zst`: runs the program of that commit on a new data folder until messages are delivered,
 * pending, dead and held back, and an announcement waits in the outbox; then packs what it has left.
 *
 *   git worktree add --detach DIR 9e6a6cf && (cd DIR && npm ci)
 *   node scripts/make-older-data-folder.ts DIR
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { create } from 'tar';
import { startFakeTokenEndpoint } from '../src/all-in-one/stand-ins/token-endpoint/fake-token-endpoint.ts';
import { encodeIdentity } from '../src/contracts/identity.ts';
import { createSystemClock } from '../src/platform/clock/clock.ts';
import { readProcessInput } from '../src/platform/config/process-input.ts';
import { connectDatabase } from '../src/platform/database/connect-database.ts';
import {
  EMBEDDED_DATABASE_NAME,
  EMBEDDED_POSTGRES_FOLDER,
  findRunningServer,
} from '../src/platform/database/database-location.ts';
import { simulateCluster } from '../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../src/tools/cluster-simulator/upload-archive.ts';
import { type CcxProcess, startCcx } from '../test/support/ccx-process.ts';
import { createTestFolder } from '../test/support/data-folder.ts';
import {
  OLDER_CLUSTERS,
  OLDER_DATA_FOLDER,
  OLDER_FINDING,
  OLDER_INGRESS_NAME,
} from '../test/support/older-data-folder.ts';

const waitMsMax = 120_000;
const serviceLogTarget = 2;
const clock = createSystemClock();
const [checkout] = readProcessInput().args;
if (checkout === undefined) throw new Error('name the checkout of the older commit, with its packages installed');

const clusterOf = (seed: string) => simulateCluster({ seed, now: clock.now(), findings: [OLDER_FINDING] });
const { dead, pending, heldBack, delivered, contested, unannounced } = OLDER_CLUSTERS;
const answers = new Map([
  [clusterOf(dead).clusterId, 400],
  [clusterOf(pending).clusterId, 503],
]);

/** Service Log as it is needed here: by cluster, it takes, refuses or is away. */
async function answerServiceLog(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-type', 'application/json');
  if (request.method === 'GET')
    return void response.end(JSON.stringify({ kind: 'ClusterLogList', items: [], total: 0 }));
  const { cluster_uuid } = JSON.parse(await text(request)) as { cluster_uuid: string };
  response.statusCode = answers.get(cluster_uuid) ?? 201;
  const taken = response.statusCode === 201;
  response.end(
    JSON.stringify(taken ? { kind: 'ClusterLog', id: clock.uuid() } : { kind: 'Error', reason: 'as it was told' }),
  );
}

async function start(args: readonly string[], env: Readonly<Record<string, string>>, ready: RegExp) {
  const process = startCcx({ args, env: { INGRESS_HOSTNAME: OLDER_INGRESS_NAME, ...env }, root: checkout! });
  const [, url = ''] = await process.waitForOutput(ready, waitMsMax);
  return { process, url };
}

async function stop(process: CcxProcess): Promise<void> {
  process.kill('SIGTERM');
  const { code } = await process.exited(waitMsMax);
  if (code !== 0) throw new Error(`ended with ${code}: ${process.stderr()}`);
}

async function upload(url: string, seed: string, orgId = '1'): Promise<void> {
  const { clusterId, archive, gatheredAt } = clusterOf(seed);
  const identity = encodeIdentity({
    identity: { type: 'System', org_id: orgId, internal: { org_id: orgId }, system: { cluster_id: clusterId } },
  });
  const answer = await uploadArchive({ url, archive, clusterId, gatheredAt, identity });
  if (answer.status !== 202) throw new Error(`${seed}: ${answer.status} ${answer.body}`);
}

async function main(): Promise<void> {
  const folder = await createTestFolder();
  const data = join(folder.path, 'data');
  const server = createServer((request, response) => void answerServiceLog(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const tokens = await startFakeTokenEndpoint(clock);
  const serviceLog = {
    CCX_NOTIFICATION_SERVICE__SERVICE_LOG__URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/service_logs/v1/cluster_logs/`,
    CCX_NOTIFICATION_SERVICE__SERVICE_LOG__TOKEN_URL: tokens.tokenUrl,
    CCX_NOTIFICATION_SERVICE__SERVICE_LOG__CLIENT_ID: 'CLIENT_ID',
    CCX_NOTIFICATION_SERVICE__SERVICE_LOG__CLIENT_SECRET: 'secret',
  };
  const allInOne = (env: Readonly<Record<string, string>>) =>
    start(['all-in-one', '--data', data, '--port', '0'], { ...serviceLog, ...env }, /^ {2}uploads +(http\S+)$/m);
  try {
    const capped = await allInOne({
      CCX_NOTIFICATION_SERVICE__FIRST_RUN__MESSAGES: '1',
      CCX_NOTIFICATION_SERVICE__FIRST_RUN__EVERY: '1h',
    });
    await upload(capped.url, dead);
    await until(data, dead, "state = 'dead'");
    await upload(capped.url, pending);
    await until(data, pending, "state = 'pending' AND attempts > 0");
    await upload(capped.url, heldBack);
    await until(data, heldBack, "state = 'pending' AND attempts = 0 AND due_at > decided_at");
    await stop(capped.process);

    const open = await allInOne({});
    await upload(open.url, delivered);
    await until(data, delivered, "state = 'delivered'");
    await upload(open.url, contested);
    await until(data, contested, "state = 'delivered' AND org_id = 1");
    await upload(open.url, contested, '666');
    await until(data, contested, "state = 'delivered' AND org_id = 666");
    await stop(open.process);

    // Its bus is away: the announcement stays in the outbox.
    const lone = await start(
      ['ingress', '--bus', 'postgres', '--host', '127.0.0.1', '--port', '0', '--metrics-port', '0'],
      {
        INGRESS_STAGERIMPLEMENTATION: 'filebased',
        INGRESS_STORAGEFILESYSTEMPATH: join(data, 'objects'),
        INGRESS_VALID_UPLOAD_TYPES: 'openshift',
        CCX_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
      },
      /"web":"(http[^"]+)"/,
    );
    await upload(`${lone.url}/api/ingress/v1/upload`, unannounced);
    await stop(lone.process);
    if ((await readdir(join(data, 'objects', 'outbox'))).length === 0) throw new Error('nothing is in the outbox');
    await pack(data);
  } finally {
    server.close();
    await tokens.stop();
    await folder.remove();
  }
}

/** Until a Service Log message of the cluster is so, and the backend has its own. */
async function until(data: string, seed: string, condition: string): Promise<void> {
  const url = await findRunningServer(join(data, EMBEDDED_POSTGRES_FOLDER), EMBEDDED_DATABASE_NAME);
  const database = connectDatabase({ url: url!, applicationName: 'make-older-data-folder' });
  const deadlineMs = clock.monotonicMs() + waitMsMax;
  try {
    for (;;) {
      const { rows } = await database.query<{ reached: boolean }>(
        `SELECT EXISTS (SELECT FROM ccx.notification_outbox WHERE cluster = $1 AND event_type_id = $2 AND ${condition})
            AND NOT EXISTS (SELECT FROM ccx.notification_outbox WHERE cluster = $1 AND event_type_id <> $2 AND state <> 'delivered')
            AS reached`,
        [clusterOf(seed).clusterId, serviceLogTarget],
      );
      if (rows[0]?.reached === true) return;
      if (clock.monotonicMs() > deadlineMs) throw new Error(`${seed} was never: ${condition}`);
      await clock.sleep(100);
    }
  } finally {
    await database.close();
  }
}

async function pack(data: string): Promise<void> {
  // They name folders of this machine, and are written anew at every start.
  for (const name of ['server.log', 'cluster/postmaster.opts'])
    await rm(join(data, EMBEDDED_POSTGRES_FOLDER, name), { force: true });
  const archive = await buffer(create({ cwd: data, portable: true }, ['.']));
  // A new server holds its catalog four times: the window has to span them.
  const packed = await promisify(zstdCompress)(archive, {
    params: {
      [constants.ZSTD_c_compressionLevel]: 19,
      [constants.ZSTD_c_windowLog]: 27,
      [constants.ZSTD_c_enableLongDistanceMatching]: 1,
    },
  });
  const path = fileURLToPath(OLDER_DATA_FOLDER);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, packed);
  process.stdout.write(`${path}: ${packed.length} bytes of ${archive.length}\n`);
}

await main();
