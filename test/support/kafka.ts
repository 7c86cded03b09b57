/**
 * A real Kafka for `*.kafka.test.ts`. One broker is shared by whoever asks for the plain one in this process; a broker of your own is named
 * in CCX_TEST_KAFKA (host:port). Where Java or Maven is missing the file is skipped and says so; with CCX_REQUIRE_KAFKA=1 that is a
 * failure, so that a build cannot pass by leaving these tests out.
 */
import { after } from 'node:test';
import { missingForKafka } from '../../scripts/kafka/kafka-jars.ts';
import { freePorts, type KafkaCluster, type KafkaOptions, startKafka } from '../../scripts/kafka/start-kafka.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { createKafkaBus } from '../../src/platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../../src/platform/bus/kafka/kafka-security.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { assertKindMay } from './test-kinds.ts';

const { env } = readProcessInput();
const ownBroker = env['CCX_TEST_KAFKA'];
const missing = missingForKafka();

assertKindMay('use Kafka');
if (missing.length > 0 && ownBroker === undefined) {
  const reason = `no Kafka can be started here: ${missing.join(' and ')} is missing`;
  if (env['CCX_REQUIRE_KAFKA'] === '1') throw new Error(`${reason}, and CCX_REQUIRE_KAFKA=1 wants it`);
  // Ends before the file's first test: there is nothing here that could be run.
  console.log(`skipped: ${reason}`);
  process.exit(0);
}

const started: KafkaCluster[] = [];
const shared: { broker?: Promise<KafkaCluster> } = {};
after(async () => {
  await Promise.all(started.map((cluster) => cluster.stop()));
});

/** A cluster of its own for this file; stopped after its last test. */
export async function startTestKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const cluster = await startKafka(options);
  started.push(cluster);
  return cluster;
}

/** `host:port` of a broker without security, shared within the file or given from outside. */
export async function testKafkaBrokers(): Promise<readonly string[]> {
  if (ownBroker !== undefined) return ownBroker.split(',');
  shared.broker ??= startTestKafka();
  return (await shared.broker).addresses;
}

/** A client of these brokers, or of the shared ones; the caller's to close. */
export async function openTestKafkaBus(brokers?: readonly string[]): Promise<Bus> {
  const addresses = brokers ?? (await testKafkaBrokers());
  return createKafkaBus({ brokers: addresses, clientId: 'test', security: plaintext, clock: createSystemClock() });
}

export interface FaultyKafka {
  readonly cluster: KafkaCluster;
  /** The way of clients that come to `proxiedBrokers`; those of `cluster.addresses` go around it. */
  readonly proxy: TcpProxy;
  readonly proxiedBrokers: readonly string[];
}

/** One broker with a second way in that can be cut or frozen. */
export async function startFaultyKafka(): Promise<FaultyKafka> {
  const [port = 0, advertisedPort = 0] = await freePorts(2);
  const proxy = await startTcpProxy({ host: '127.0.0.1', port, listenPort: advertisedPort });
  try {
    const cluster = await startTestKafka({ proxied: { port, advertisedPort } });
    return { cluster, proxy, proxiedBrokers: [`127.0.0.1:${advertisedPort}`] };
  } catch (error) {
    await proxy.close();
    throw error;
  }
}

/** As a broker without a token service takes them: `alg: none`. */
export async function unsecuredToken(): Promise<string> {
  const seconds = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: 'ccx', iat: seconds, exp: seconds + 300 })}.`;
}
