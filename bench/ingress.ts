/**
 * What an upload costs: `ccx ingress` with its object store, announcements and statuses, against a bare `node:http` server that stores the same
 * bytes as durably and announces nothing, in the same rounds; on the embedded bus, on Kafka, and with archives on S3, whose server takes its
 * share of the machine. Goals: at least 0.45 of the bare server at 16 at once and 0.5 at 64, at most 2 ms of processor time an upload from 16
 * on and 3 ms alone, and 64 MiB more for sixteen of 100 MB, 160 MiB on S3.
 */
import { randomBytes } from 'node:crypto';
import { missingForSeaweedFs, startSeaweedFs } from '../scripts/engines/start-seaweedfs.ts';
import { TOPIC_PAYLOAD_STATUS, TOPIC_UPLOAD_ANNOUNCE } from '../src/contracts/topics.ts';
import type { BenchContext, Benchmark, Comparison, Contender, Figure } from './support/benchmark.ts';
import { uploadMany } from './support/upload-client.ts';
import { startBareServer, startIngressProcess, type UploadServer } from './support/upload-servers.ts';

/** An ordinary archive. */
const archiveBytes = 93_000;
const largeBytes = 100_000_000;
const large = 16;

interface Ingress {
  readonly bus: string;
  readonly server: UploadServer;
  /** Of the embedded bus. */
  readonly postmaster?: number | undefined;
}

export const benchmark: Benchmark = {
  description: 'uploads to ccx ingress against a bare server that stores as durably',
  async run(context) {
    const bare = await startBareServer(context);
    const missing = context.engines.missing('kafka');
    const ingresses = [await onEmbeddedBus(context), ...(missing === undefined ? [await onKafka(context)] : [])];
    const comparisons: Comparison[] = [];
    const figures: Figure[] = [];
    for (const ingress of ingresses) {
      // The lone ones last: by then all code is compiled, and nothing else is measured.
      for (const atOnce of [16, 64, 1]) comparisons.push(await compareUploads(context, { ...ingress, bare, atOnce }));
      figures.push(await growthByLargeOnes(context, ingress));
    }
    const withoutS3 = context.quick ? 'a quick run starts none' : missingForSeaweedFs()[0];
    if (withoutS3 === undefined) {
      const onBucket = await onS3(context);
      // Warm as the others are, but not by small ones: they leave garbage of the SDK behind, in which the large ones would not show.
      await uploadMany(onBucket.server.url, { uploads: 1, atOnce: 1, archive: Buffer.alloc(largeBytes, 1) });
      figures.push(await growthByLargeOnes(context, onBucket));
      comparisons.push(await compareUploads(context, { ...onBucket, bare, atOnce: 16 }));
    }
    const leftOut = Object.entries({ Kafka: missing, S3: withoutS3 });
    return {
      comparisons,
      figures,
      leftOut: leftOut.flatMap(([on, why]) => (why === undefined ? [] : [`on ${on}: ${why}`])),
    };
  },
};

async function onEmbeddedBus(context: BenchContext): Promise<Ingress> {
  const { url, server: postmaster } = await context.createDatabase();
  const env = { CCX_DATABASE_URL: url };
  const server = await startIngressProcess(context, { args: ['--bus', 'postgres'], env });
  return { bus: 'embedded bus', server, postmaster };
}

async function onS3(context: BenchContext): Promise<Ingress> {
  const store = await startSeaweedFs();
  context.lifecycle.defer('S3 server', () => store.stop());
  const { url, server: postmaster } = await context.createDatabase();
  const env = {
    CCX_DATABASE_URL: url,
    INGRESS_STAGERIMPLEMENTATION: 's3',
    INGRESS_MINIOENDPOINT: store.endpoint,
    INGRESS_STAGEBUCKET: store.bucket,
    INGRESS_MINIOACCESSKEY: store.admin.accessKey,
    INGRESS_MINIOSECRETKEY: store.admin.secretKey,
  };
  const server = await startIngressProcess(context, { args: ['--bus', 'postgres'], env });
  return { bus: 'embedded bus, S3', server, postmaster };
}

async function onKafka(context: BenchContext): Promise<Ingress> {
  const { database } = await context.createDatabase();
  const bus = await context.engines.openBus('kafka', database);
  await bus.admin.ensureTopics([
    { name: TOPIC_UPLOAD_ANNOUNCE, partitions: 8 },
    { name: TOPIC_PAYLOAD_STATUS, partitions: 3 },
  ]);
  await bus.close();
  const env = { INGRESS_KAFKABROKERS: (await context.engines.kafka()).join(',') };
  return { bus: 'Kafka', server: await startIngressProcess(context, { args: [], env }) };
}

async function compareUploads(
  context: BenchContext,
  { bus, server, postmaster, bare, atOnce }: Ingress & { readonly bare: UploadServer; readonly atOnce: number },
): Promise<Comparison> {
  const archive = randomBytes(archiveBytes);
  const uploads = context.size(atOnce === 1 ? 60 : 320, 4);
  const contender = (name: string, { url, pid }: UploadServer, serverPid?: number): Contender => ({
    name,
    run: () => uploadMany(url, { uploads, atOnce, archive }),
    costs: () => ({ process: pid, server: serverPid }),
  });
  return await context.compare({
    title: `${bus}, ${archiveBytes / 1000} kB, ${atOnce} at once`,
    unit: 'uploads',
    subject: contender('ccx ingress', server, postmaster),
    baselines: [contender('bare node:http, same files and fsyncs', bare)],
    rounds: 5,
    budgetMs: 20_000,
  });
}

async function growthByLargeOnes(context: BenchContext, { bus, server }: Ingress): Promise<Figure> {
  const before = server.peakMebibytes().process;
  const archive = Buffer.alloc(context.size(largeBytes, 1_000_000), 1);
  await uploadMany(server.url, { uploads: large, atOnce: large, archive });
  const name = `${bus}: peak memory, ${large} of ${archive.length / 1_000_000} MB at once`;
  return { name, value: server.peakMebibytes().process - before, unit: 'MiB more' };
}
