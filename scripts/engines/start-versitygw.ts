/**
 * Another S3 server, versitygw, on a free port of 127.0.0.1, in the place of SeaweedFS: what two of them agree on is S3. It has no lifecycle.
 * Built by Go, which takes minutes of processor time, once, into a cache folder; so it is for `npm run nightly` alone.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { freePorts } from '../kafka/start-kafka.ts';
import { startWatchdog } from '../kafka/watchdog.ts';
import { type SeaweedFs, untilServing } from './start-seaweedfs.ts';

const version = '1.8.0';
const bucket = 'archives';
const region = 'us-east-1';
const admin = { accessKey: 'ccx-admin', secretKey: 'secret-of-the-admin' } as const;
const reader = { accessKey: 'ccx-reader', secretKey: 'secret-of-the-reader' } as const;

/** What is missing to have it, one short phrase each; empty when nothing is. */
export function missingForVersityGw(): string[] {
  if (existsSync(programPath())) return [];
  try {
    execFileSync('go', ['version'], { env: goEnvironment(), stdio: 'ignore' });
    return [];
  } catch {
    return ['Go (go)'];
  }
}

/** What SeaweedFS' is, without TLS. */
export async function startVersityGw(): Promise<SeaweedFs> {
  const program = install();
  const root = mkdtempSync(join(tmpdir(), 'ccx-versitygw-'));
  const [data, users] = [join(root, 'data'), join(root, 'users')];
  for (const folder of [data, users]) mkdirSync(folder);
  const [port = 0, adminPort = 0] = await freePorts(2);
  const endpoint = `http://127.0.0.1:${port}`;
  const adminEndpoint = `http://127.0.0.1:${adminPort}`;
  const args = [
    ...['--port', `127.0.0.1:${port}`, '--admin-port', `127.0.0.1:${adminPort}`, '--region', region, '--quiet'],
    ...['--access', admin.accessKey, '--secret', admin.secretKey, '--iam-dir', users, 'posix', data],
  ];
  const watchdog = startWatchdog(root);
  let child: ChildProcess | undefined;

  const start = async () => {
    const started = spawn(program, args, { cwd: root, env: { HOME: root }, stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    watchdog.guard(started);
    // The bucket is a folder, so it is there before anybody can make it.
    mkdirSync(join(data, bucket), { recursive: true });
    await untilServing(started, endpoint, undefined);
  };
  const kill: SeaweedFs['kill'] = async (signal) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    if (signal === 'SIGKILL') await exited;
  };
  const stop = async () => {
    await kill('SIGKILL');
    watchdog.dismiss();
    rmSync(root, { recursive: true, force: true });
  };
  try {
    await start();
    const as = ['--access', admin.accessKey, '--secret', admin.secretKey, '--endpoint-url', adminEndpoint];
    const user = ['--access', reader.accessKey, '--secret', reader.secretKey, '--role', 'user'];
    execFileSync(program, ['admin', ...as, 'create-user', ...user], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    await letRead(endpoint);
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, certificates: '', region, bucket, admin, reader, kill, start, stop };
}

/** The reader may read and list, and nothing else. */
async function letRead(endpoint: string): Promise<void> {
  const { PutBucketPolicyCommand, S3Client } = await import('@aws-sdk/client-s3');
  const credentials = { accessKeyId: admin.accessKey, secretAccessKey: admin.secretKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const statement = (action: string, resource: string) => {
    return { Effect: 'Allow', Principal: [reader.accessKey], Action: action, Resource: `arn:aws:s3:::${resource}` };
  };
  try {
    const Statement = [statement('s3:GetObject', `${bucket}/*`), statement('s3:ListBucket', bucket)];
    await client.send(
      new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
    );
  } finally {
    client.destroy();
  }
}

function programPath(): string {
  const { env } = readProcessInput();
  const cache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'ccx-notifications', `versitygw-${version}`, 'versitygw');
}

/** Go's makers unpack it there, and not every service has that in its PATH. */
function goEnvironment(): NodeJS.ProcessEnv {
  const { env } = readProcessInput();
  return { ...env, PATH: `${env['PATH'] ?? ''}:/usr/local/go/bin` };
}

function install(): string {
  const path = programPath();
  if (existsSync(path)) return path;
  const building = mkdtempSync(join(tmpdir(), 'ccx-versitygw-build-'));
  try {
    // Its modules are cleaned up with it; Go leaves them unwritable otherwise.
    const env = { ...goEnvironment(), GOBIN: building, GOPATH: join(building, 'path'), GOFLAGS: '-modcacherw' };
    execFileSync('go', ['install', `github.com/versity/versitygw/cmd/versitygw@v${version}`], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    mkdirSync(join(path, '..'), { recursive: true });
    copyFileSync(join(building, 'versitygw'), `${path}.${process.pid}`);
    renameSync(`${path}.${process.pid}`, path);
    return path;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}
