/**
 * A thousand slow clients beside good ones, against `ccx ingress` as an operator runs it: good uploads go through, memory stays, and it comes
 * back. The attackers run in processes of their own, come again when they are closed, and are of the same organization or of another. A
 * seeded half of the attacks is tried (`CCX_TEST_SEED` gives the same one again); `CCX_TEST_ATTACKS=all` (`npm run nightly`) tries every one.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createChance } from '../../../test/faults/seeded.ts';
import type { CcxProcess } from '../../../test/support/ccx-process.ts';
import { BOUNDARY, filePart, form, metadataPart, OPENSHIFT_TYPE, send } from '../../../test/support/ingress-bench.ts';
import { type IngressRole, startIngressRole } from '../../../test/support/ingress-role.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { temporaryFile, temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { encodeIdentity } from '../../contracts/identity.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { readProcessInput } from '../../platform/config/process-input.ts';

const clock = createSystemClock();
const attackers = 1_000;
/** An attacking process stays below the 1,024 files that many systems allow. */
const attackersPerProcess = 500;
const goodUploads = 100;
/** Longer than the first seconds, in which no rate is asked for. */
const goodEveryMs = 75;
const goodMsMax = 2_000;
const goodInTimeMin = 95;
const mebibyte = 1024 * 1024;
const fallsBackWithinMs = 60_000;

const attackingProcess = fileURLToPath(new URL('../../../test/support/slow-clients.ts', import.meta.url));
const shared: { base?: TestDatabase } = {};

before(async () => {
  shared.base = await createTestDatabase();
});
after(async () => {
  await shared.base?.drop();
});

const identityOf = (orgId: string) => encodeIdentity({ identity: { type: 'User', org_id: orgId } });
const goodOrg = '1';

/** A request whose body says that it is long, and so many bytes of its file. */
function uploadHead(orgId: string, fileBytes: number): string {
  return (
    'POST /api/ingress/v1/upload HTTP/1.1\r\nHost: x\r\n' +
    `x-rh-identity: ${identityOf(orgId)}\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: 1048000\r\n\r\n` +
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: ${OPENSHIFT_TYPE}\r\n\r\n${'a'.repeat(fileBytes)}`
  );
}

const unfinishedHeaders = `POST /api/ingress/v1/upload HTTP/1.1\r\nHost: x\r\nx-long: ${'a'.repeat(60 * 1024)}`;

interface Attack {
  readonly title: string;
  readonly beginning: string;
  readonly growthBytesMax: number;
  /** How many files ingress may open. */
  readonly openFilesMax?: number;
  /** When one that was closed comes again. */
  readonly againMs?: number;
  readonly goodMsMax?: number;
}

const againMs = 100;
/**
 * Where not all of them find room, those that are turned away would otherwise come five thousand times a second. How long a good upload
 * takes beside them is the machine's business, but it goes through.
 */
const withoutRoom = { openFilesMax: 1_024, againMs: 2_000, goodMsMax: 20_000 };

const attacks: readonly Attack[] = [
  {
    title: 'of the same organization, a byte a second',
    beginning: uploadHead(goodOrg, 1_000),
    growthBytesMax: 64 * mebibyte,
  },
  {
    title: 'of another organization, a byte a second',
    beginning: uploadHead('2', 1_000),
    growthBytesMax: 64 * mebibyte,
  },
  {
    title: 'of the same organization, a byte a second after so much that they are admitted',
    beginning: uploadHead(goodOrg, 20_000),
    growthBytesMax: 128 * mebibyte,
    // Each of them has a file made and removed: how long a good one takes is the disk's business, but none is refused.
    goodMsMax: 20_000,
  },
  { title: 'with 60 KiB of unfinished headers', beginning: unfinishedHeaders, growthBytesMax: 128 * mebibyte },
  {
    title: 'on a process that may open 1,024 files',
    beginning: uploadHead(goodOrg, 1_000),
    growthBytesMax: 64 * mebibyte,
    ...withoutRoom,
  },
  {
    title: 'that say nothing, on a process that may open 1,024 files',
    beginning: '',
    growthBytesMax: 64 * mebibyte,
    ...withoutRoom,
  },
];

const { env } = readProcessInput();
const seed = env['CCX_TEST_SEED'] ?? clock.uuid().slice(0, 8);
const share = env['CCX_TEST_ATTACKS'] === 'all' ? 1 : 0.5;
const chosen = createChance(`${seed} slow clients`)
  .shuffle(attacks)
  .slice(0, attacks.length * share);

describe(`a thousand slow clients (CCX_TEST_SEED=${seed})`, () => {
  for (const attack of chosen) {
    test(attack.title, async (t) => {
      const { role, url } = await startRole(t, attack);
      // What a process needs once is not what the attack costs.
      for (let n = 0; n < goodUploads; n += 1) await timedUpload(url);
      const memory = memoryOf(role);
      if (memory === undefined) t.diagnostic('no /proc here: memory is not looked at');
      const before = memory?.() ?? 0;

      const stopAttack = await startAttack(t, url, attack);
      let most = 0;
      const outcomes: Promise<{ readonly status: number; readonly ms: number }>[] = [];
      for (let n = 0; n < goodUploads; n += 1) {
        outcomes.push(timedUpload(url));
        await clock.sleep(goodEveryMs);
        most = Math.max(most, memory?.() ?? 0);
      }
      const times = (await Promise.all(outcomes)).map(({ status, ms }) =>
        status === 202 ? ms : Number.POSITIVE_INFINITY,
      );
      times.sort((a, b) => a - b);
      const msMax = attack.goodMsMax ?? goodMsMax;
      const inTime = times.filter((ms) => ms <= msMax).length;
      const stoppedMs = clock.monotonicMs();
      stopAttack();
      // What stays is the allocator's, and used again by the next crowd.
      const back = before + attack.growthBytesMax / 2;
      while (memory !== undefined && memory() > back && clock.monotonicMs() - stoppedMs < fallsBackWithinMs)
        await clock.sleep(500);
      const inMiB = (bytes: number) => Math.round(bytes / mebibyte);
      t.diagnostic(
        `${inTime} of ${goodUploads} in time, median ${Math.round(times[goodUploads / 2]!)} ms, 95th ${Math.round(times[goodInTimeMin - 1]!)} ms; ` +
          `memory ${inMiB(before)} MiB, at most ${inMiB(most)} MiB, ${inMiB(memory?.() ?? 0)} MiB ${Math.round((clock.monotonicMs() - stoppedMs) / 1_000)} s later`,
      );
      assert.ok(inTime >= goodInTimeMin, `only ${inTime} of ${goodUploads} got 202 within ${msMax} ms`);
      assert.ok(most - before < attack.growthBytesMax, `memory grew by ${inMiB(most - before)} MiB`);
      if (memory !== undefined) assert.ok(memory() <= back, `memory stays at ${inMiB(memory())} MiB`);
      if (attack.openFilesMax !== undefined)
        assert.match(role.stdout(), /web\.connections_max is 2000, but this process may open 1024 files/);
    });
  }
});

async function startRole(t: TestContext, { openFilesMax }: Attack): Promise<IngressRole> {
  const started = await startIngressRole({
    storagePath: temporaryFolder(),
    databaseUrl: shared.base!.url,
    launcher: true,
    ...(openFilesMax === undefined ? {} : { openFilesMax }),
  });
  t.after(() => started.role.kill('SIGKILL'));
  return started;
}

/** Resolves when all connections are open, to what ends them. */
async function startAttack(t: TestContext, url: string, attack: Attack): Promise<() => void> {
  const file = temporaryFile('beginning', attack.beginning);
  const processes: ChildProcess[] = [];
  const stop = () => {
    for (const process of processes) process.kill('SIGKILL');
  };
  t.after(async () => {
    stop();
  });
  const opened: Promise<unknown>[] = [];
  for (let n = 0; n < attackers; n += attackersPerProcess) {
    const { port } = new URL(url);
    const args = [attackingProcess, port, String(attackersPerProcess), file, String(attack.againMs ?? againMs)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    processes.push(child);
    opened.push(once(child.stdout, 'data'));
  }
  await Promise.all(opened);
  return stop;
}

async function timedUpload(url: string): Promise<{ readonly status: number; readonly ms: number }> {
  const startedMs = clock.monotonicMs();
  const { status } = await send(`${url}/api/ingress/v1/upload`, {
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'x-rh-identity': identityOf(goodOrg) },
    body: form([filePart(Buffer.alloc(50_000, 1)), metadataPart({})]),
  }).catch(() => ({ status: 0 }));
  return { status, ms: clock.monotonicMs() - startedMs };
}

/** Undefined where the system does not say. */
function memoryOf({ child }: CcxProcess): (() => number) | undefined {
  const file = `/proc/${child.pid}/status`;
  if (!existsSync(file)) return undefined;
  return () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) * 1024;
}
