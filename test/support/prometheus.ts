/**
 * A real Prometheus, a real Pushgateway, a real Alertmanager, and their tools, for `*.prometheus.test.ts`: Debian's packages. Where they are not installed the
 * file is skipped and says so; with CCX_REQUIRE_PROMETHEUS=1 that is a failure, so that a build cannot pass by leaving these tests out.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { startWatchdog } from '../../scripts/kafka/watchdog.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { assertKindMay, whyNoPrometheus } from './test-kinds.ts';

const { env } = readProcessInput();

assertKindMay('use Prometheus');
const missing = whyNoPrometheus();
if (missing !== undefined) {
  if (env['CCX_REQUIRE_PROMETHEUS'] === '1') throw new Error(`${missing}, and CCX_REQUIRE_PROMETHEUS=1 wants them`);
  console.log(`skipped: ${missing}`);
  process.exit(0);
}

const startMsMax = 20_000;
const stops: (() => Promise<void>)[] = [];
after(async () => {
  for (const stop of stops) await stop();
});

export function promtool(...args: readonly string[]): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { code: status, output: `${stdout}${stderr}` };
}

/** Jobs by their name, each with the `host:port` and the path that it is scraped at every second. Resolves to its URL. */
export async function startPrometheus(
  jobs: Readonly<Record<string, { readonly target: string; readonly path: string }>>,
  ruleFile: string,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-test-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [ruleFile],
    scrape_configs: Object.entries(jobs).map(([name, { target, path }]) => ({
      ...{ job_name: name, metrics_path: path },
      static_configs: [{ targets: [target] }],
    })),
  };
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const [port = 0] = await freePorts(1);
  return await started(folder, 'prometheus', '/-/ready', port, [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
}

/** Its `host:port`. With basic credentials when some are given: `user`, and the bcrypt hash of a password. */
export async function startPushgateway(login?: { readonly user: string; readonly hash: string }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-test-pushgateway-'));
  const [port = 0] = await freePorts(1);
  const args = [`--web.listen-address=127.0.0.1:${port}`];
  if (login !== undefined) {
    const file = join(folder, 'web.yml');
    await writeFile(file, JSON.stringify({ basic_auth_users: { [login.user]: login.hash } }));
    args.push(`--web.config.file=${file}`);
  }
  return new URL(await started(folder, 'prometheus-pushgateway', '/-/ready', port, args)).host;
}

/** A real Alertmanager. `kill` ends it by SIGKILL, and `restart` starts it again at the same address, as its supervisor would. */
export async function startAlertmanager(config: string): Promise<{
  readonly url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-test-alertmanager-'));
  await writeFile(join(folder, 'alertmanager.yml'), config);
  const [port = 0] = await freePorts(1);
  const start = () =>
    startedProgram(folder, 'prometheus-alertmanager', '/-/ready', port, [
      `--config.file=${join(folder, 'alertmanager.yml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ]);
  let program = await start();
  return {
    url: program.url,
    kill: () => program.kill(),
    async restart() {
      program = await start();
    },
  };
}

async function started(folder: string, program: string, path: string, port: number, args: readonly string[]) {
  return (await startedProgram(folder, program, path, port, args)).url;
}

async function startedProgram(folder: string, program: string, path: string, port: number, args: readonly string[]) {
  const watchdog = startWatchdog(folder);
  let log = '';
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = `${log}${text}`.slice(-4_000);
  });
  watchdog.guard(child);
  const exited = once(child, 'exit');
  stops.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await exited;
    watchdog.dismiss();
    await rm(folder, { recursive: true, force: true });
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + startMsMax;
  for (;;) {
    const status = await fetch(`${url}${path}`).then(
      (response) => response.status,
      () => 0,
    );
    // One that asks for a password is there.
    if (status === 200 || status === 401) return { url, kill };
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${program} does not answer:\n${log}`);
    await delay(50);
  }
}
