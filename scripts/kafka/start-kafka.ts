/**
 * A real Apache Kafka (KRaft) on free ports of 127.0.0.1: one broker or three, with TLS and SASL listeners on demand. For tests, bench and
 * CI; `node scripts/kafka/start-kafka.ts [--brokers 3] [--secure]` starts one for a person and stops it on Ctrl-C.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { type BrokerPorts, kafkaUsers, type ProxiedListener, renderBrokerConfig } from './broker-config.ts';
import { makeCertificates } from './certificates.ts';
import { javaOptions } from './java-options.ts';
import { kafkaClassPath } from './kafka-jars.ts';
import { startWatchdog } from './watchdog.ts';

export interface KafkaOptions {
  readonly brokers?: 1 | 3;
  readonly secure?: boolean;
  /** Of the first broker. */
  readonly proxied?: ProxiedListener;
  /** Lines of server.properties that differ from ours. */
  readonly properties?: Readonly<Record<string, string>>;
  /** As fast as in production once it has run for a while, at the price of a slower start. */
  readonly wellCompiled?: boolean;
}

export interface KafkaCluster {
  /** `host:port` of each broker, plain text. */
  readonly addresses: readonly string[];
  readonly sslAddresses: readonly string[];
  readonly saslPlaintextAddresses: readonly string[];
  readonly saslSslAddresses: readonly string[];
  /** TLS, and only for clients with a certificate. */
  readonly mutualTlsAddresses: readonly string[];
  /** Folder with `ca.pem`, `other-ca.pem`, `client.pem`, `client.key`; empty text without `secure`. */
  readonly certificates: string;
  readonly users: typeof kafkaUsers;
  /** Ends one broker's process and waits for its end. SIGTERM lets it hand its partitions over. */
  stopBroker(index: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts a stopped broker again on its data and waits until it serves. */
  startBroker(index: number): Promise<void>;
  /** Ends everything and removes its files. */
  stop(): Promise<void>;
}

const readyMsMax = 60_000;
const portsPerBroker = 6;
const clusterId = 'Y2N4LW5vdGlmaWNhdGlvbg';

export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const java = await javaOptions(options.wellCompiled === true, async (making) => {
    const cluster = await startBrokers({}, making);
    await cluster.stopBroker(0, 'SIGTERM');
    await cluster.stop();
  });
  return await startBrokers(options, java);
}

async function startBrokers(options: KafkaOptions, java: readonly string[]): Promise<KafkaCluster> {
  const count = options.brokers ?? 1;
  const classPath = kafkaClassPath();
  const root = mkdtempSync(join(tmpdir(), 'ccx-kafka-'));
  const certificates = options.secure === true ? join(root, 'certificates') : '';
  if (certificates !== '') makeCertificates(certificates);

  const ports = await freePorts(count * portsPerBroker);
  const nodes = Array.from({ length: count }, (_, index) => {
    const first = index * portsPerBroker;
    const [plaintext = 0, controller = 0, ssl = 0, saslPlaintext = 0, saslSsl = 0, mutualTls = 0] = ports.slice(first);
    return {
      nodeId: index + 1,
      folder: join(root, `broker-${index + 1}`),
      ports: { plaintext, controller, ssl, saslPlaintext, saslSsl, mutualTls },
    };
  });
  const voters = nodes.map((node) => `${node.nodeId}@127.0.0.1:${node.ports.controller}`);
  const children = new Map<number, ChildProcess>();
  const watchdog = startWatchdog(root);

  const launch = async (index: number) => {
    const node = nodes[index]!;
    const child = spawn(
      'java',
      [
        '-Xmx512m',
        ...java,
        '-Dlog4j2.level=INFO',
        '-cp',
        classPath,
        'kafka.Kafka',
        join(node.folder, 'server.properties'),
      ],
      {
        cwd: node.folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    children.set(index, child);
    watchdog.guard(child);
    await untilStarted(child);
  };
  const end = async (index: number, signal: 'SIGTERM' | 'SIGKILL') => {
    const child = children.get(index);
    children.delete(index);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  const stop = async () => {
    await Promise.all(nodes.map((_, index) => end(index, 'SIGKILL')));
    watchdog.dismiss();
    rmSync(root, { recursive: true, force: true });
  };

  try {
    for (const node of nodes) {
      mkdirSync(node.folder, { recursive: true });
      const securityFolder = certificates === '' ? undefined : certificates;
      writeFileSync(
        join(node.folder, 'server.properties'),
        renderBrokerConfig({
          ...node,
          voters,
          securityFolder,
          replicas: count,
          proxied: node.nodeId === 1 ? options.proxied : undefined,
          properties: options.properties ?? {},
        }),
      );
      format([...withoutMaking(java), '-cp', classPath], node.folder, certificates !== '');
    }
    await Promise.all(nodes.map((_, index) => launch(index)));
  } catch (error) {
    await stop();
    throw error;
  }
  const addresses = (name: keyof BrokerPorts) => nodes.map((node) => `127.0.0.1:${node.ports[name]}`);
  return {
    addresses: addresses('plaintext'),
    sslAddresses: addresses('ssl'),
    saslPlaintextAddresses: addresses('saslPlaintext'),
    saslSslAddresses: addresses('saslSsl'),
    mutualTlsAddresses: addresses('mutualTls'),
    certificates,
    users: kafkaUsers,
    stopBroker: end,
    startBroker: launch,
    stop,
  };
}

/** Only the broker's own end writes the file: the tool has loaded few of its classes. */
function withoutMaking(java: readonly string[]): string[] {
  return java.filter((option) => !option.startsWith('-XX:ArchiveClassesAtExit='));
}

function format(java: readonly string[], folder: string, withUsers: boolean): void {
  const scram = withUsers
    ? Object.entries(kafkaUsers).flatMap(([user, password]) =>
        ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
          '--add-scram',
          `${mechanism}=[name=${user},password=${password}]`,
        ]),
      )
    : [];
  const args = [
    ...java,
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    clusterId,
    '--config',
    join(folder, 'server.properties'),
    ...scram,
  ];
  execFileSync('java', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Resolves when the broker says that it serves; rejects with its last lines when it ends or takes too long. */
async function untilStarted(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`Kafka ${reason}:\n${lines.slice(-30).join('')}`));
    const timer = setTimeout(() => fail(`did not start within ${readyMsMax} ms`), readyMsMax);
    const read = (chunk: Buffer) => {
      const text = chunk.toString();
      lines.push(text);
      if (lines.length > 200) lines.shift();
      if (text.includes('Kafka Server started')) {
        clearTimeout(timer);
        resolve();
      }
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', () => {
      clearTimeout(timer);
      fail('ended');
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** Below those that systems give to outgoing connections, so that none takes a port between the look and the start of who gets it. */
const portMin = 15_000;
const portMax = 32_000;

/** Ports of 127.0.0.1 that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  while (servers.length < count) {
    const server = createServer();
    server.listen(randomInt(portMin, portMax), '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

if (import.meta.main) {
  const { args } = readProcessInput();
  const cluster = await startKafka({
    brokers: args.join(' ').includes('--brokers 3') ? 3 : 1,
    secure: args.includes('--secure'),
  });
  if (args.includes('--secure')) {
    process.stdout.write(
      `SSL on ${cluster.sslAddresses.join(',')}, SASL_PLAINTEXT on ${cluster.saslPlaintextAddresses.join(',')}, ` +
        `SASL_SSL on ${cluster.saslSslAddresses.join(',')}; users ${Object.entries(cluster.users)
          .map((user) => user.join('/'))
          .join(', ')}; ` +
        `certificates in ${cluster.certificates}\n`,
    );
  }
  process.stdout.write(`Kafka serves on ${cluster.addresses.join(',')}; Ctrl-C ends it\n`);
  process.once('SIGINT', () => void cluster.stop());
  process.once('SIGTERM', () => void cluster.stop());
}
