/**
 * What an upload costs: `ccx ingress` with its object store, announcements and statuses, against a bare `node:http` server that stores the same
 * bytes as durably and announces nothing, in the same rounds; on the embedded bus and on Kafka. Goals: at least 0.45 of the bare server
 * at 16 at once and 0.5 at 64, at most 2 ms of processor time an upload from 16 on and 3 ms alone, and 64 MiB more for sixteen of 100 MB.
 */
import { randomBytes } from 'node:crypto';
import { missingForKafka } from '../scripts/kafka/kafka-jars.ts';
import { startKafka } from '../scripts/kafka/start-kafka.ts';
import { TOPIC_PAYLOAD_STATUS, TOPIC_UPLOAD_ANNOUNCE } from '../src/contracts/topics.ts';
import { createKafkaBus } from '../src/platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../src/platform/bus/kafka/kafka-security.ts';
import type { BenchContext, Benchmark, Comparison, Contender, Figure } from './support/benchmark.ts';
import { spread } from './support/compare.ts';
import { uploadMany } from './support/upload-client.ts';
import { startBareServer, startIngressProcess, type UploadServer } from './support/upload-servers.ts';

/** An ordinary archive. */
const archiveBytes = 93_000;
const largeBytes = 100_000_000;
const large = 16;

interface Ingress {
  readonly bus: string;
  readonly server: UploadServer;
}

export const benchmark: Benchmark = {
  description: 'uploads to ccx ingress against a bare server that stores as durably',
  async run(context) {
    const bare = await startBareServer(context);
    const ingresses = [await onEmbeddedBus(context), await onKafka(context)].filter((one) => one !== undefined);
    const comparisons: Comparison[] = [];
    const figures: Figure[] = [];
    for (const ingress of ingresses) {
      // The lone ones last: by then all code is compiled, and nothing else is measured.
      for (const atOnce of [16, 64, 1]) {
        const { comparison, costs } = await compareUploads(context, { ...ingress, bare, atOnce });
        comparisons.push(comparison);
        figures.push(...costs);
      }
      figures.push(await growthByLargeOnes(context, ingress));
    }
    return { comparisons, figures };
  },
};

async function onEmbeddedBus(context: BenchContext): Promise<Ingress> {
  const { url } = await context.createDatabase();
  const env = { CCX_DATABASE_URL: url };
  return { bus: 'embedded bus', server: await startIngressProcess(context, { args: ['--bus', 'postgres'], env }) };
}

/** Undefined where there is none; a broker takes longer to start than all quick benchmarks together. */
async function onKafka(context: BenchContext): Promise<Ingress | undefined> {
  const { quick, lifecycle, clock, tell } = context;
  const missing = missingForKafka();
  if (quick || missing.length > 0) {
    tell(`without Kafka: ${quick ? 'a quick run starts none' : `${missing.join(' and ')} is missing`}`);
    return undefined;
  }
  const kafka = await startKafka();
  lifecycle.defer('Kafka', () => kafka.stop());
  const bus = createKafkaBus({ brokers: kafka.addresses, clientId: 'bench', security: plaintext, clock });
  await bus.admin.ensureTopics([
    { name: TOPIC_UPLOAD_ANNOUNCE, partitions: 8 },
    { name: TOPIC_PAYLOAD_STATUS, partitions: 3 },
  ]);
  await bus.close();
  const env = { INGRESS_KAFKABROKERS: kafka.addresses.join(',') };
  return { bus: 'Kafka', server: await startIngressProcess(context, { args: [], env }) };
}

async function compareUploads(
  context: BenchContext,
  { bus, server, bare, atOnce }: Ingress & { readonly bare: UploadServer; readonly atOnce: number },
) {
  const archive = randomBytes(archiveBytes);
  const uploads = context.size(atOnce === 1 ? 60 : 320, 4);
  const costs: Figure[] = [];
  const contender = (name: string, { url, cpuMs }: UploadServer): Contender => {
    const spent: number[] = [];
    return {
      name,
      async run(round) {
        const beforeMs = cpuMs();
        await uploadMany(url, { uploads, atOnce, archive });
        // Round 0 only warms up.
        if (round > 0) spent.push((cpuMs() - beforeMs) / uploads);
        if (round > 0) costs[name === 'ccx ingress' ? 0 : 1] = costOf(name, spent);
        return uploads;
      },
    };
  };
  const costOf = (name: string, spent: readonly number[]): Figure => {
    return { name: `${bus}, ${atOnce} at once: ${name}, CPU`, value: spread(spent).median, unit: 'ms an upload' };
  };
  const comparison = await context.compare({
    title: `${bus}, ${archiveBytes / 1000} kB, ${atOnce} at once`,
    unit: 'uploads',
    subject: contender('ccx ingress', server),
    baselines: [contender('bare node:http, same files and fsyncs', bare)],
    rounds: 5,
    budgetMs: 20_000,
  });
  return { comparison, costs };
}

async function growthByLargeOnes(context: BenchContext, { bus, server }: Ingress): Promise<Figure> {
  const before = server.peakMebibytes();
  const archive = Buffer.alloc(context.size(largeBytes, 1_000_000), 1);
  await uploadMany(server.url, { uploads: large, atOnce: large, archive });
  const name = `${bus}: peak memory, ${large} of ${archive.length / 1_000_000} MB at once`;
  return { name, value: server.peakMebibytes() - before, unit: 'MiB more' };
}
