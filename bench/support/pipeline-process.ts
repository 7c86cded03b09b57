/**
 * Entry of a process that is a data pipeline on the embedded bus and nothing else, with its runners as its children. Started by the benchmark
 * of the data pipeline, which announces the archives and is told when their reports are published.
 */
import { subscribe } from 'node:diagnostics_channel';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import { openDirectoryStore } from '../../src/platform/objects/directory/directory-store.ts';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent, createTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import { dataPipelineOptions, dataPipelineSettings } from '../../src/services/data-pipeline/config.ts';
import { startDataPipeline } from '../../src/services/data-pipeline/service.ts';

export type PipelineOrder =
  | {
      readonly order: 'start';
      readonly databaseUrl: string;
      /** Of the object store whose archives are read as files; links end with the key. */
      readonly folder: string;
      /** What serves archives whose links are followed. */
      readonly host: string;
      /** Folders of rule packs. */
      readonly packs: readonly string[];
    }
  /** Answered when so many more reports are published than at the last answer. */
  | { readonly order: 'reports'; readonly count: number };

const clock = createSystemClock();
const lifecycle = new Lifecycle(clock);
let published = 0;
let wanted = Number.POSITIVE_INFINITY;

process.on('message', async (order: PipelineOrder) => {
  if (order.order === 'start') {
    await start(order);
    process.send?.('started');
  } else {
    wanted = order.count;
    answerWhenPublished();
  }
});
// The parent alone decides when it is over; Ctrl-C reaches both.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => void lifecycle.stop());

function answerWhenPublished(): void {
  if (published < wanted) return;
  published -= wanted;
  wanted = Number.POSITIVE_INFINITY;
  process.send?.('published');
}

async function start({ databaseUrl, folder, host, packs }: Extract<PipelineOrder, { order: 'start' }>): Promise<void> {
  const database = connectDatabase({ url: databaseUrl, applicationName: 'ccx bench' });
  lifecycle.defer('database', () => database.close());
  const bus = await createPostgresBus({ database, clock });
  lifecycle.defer('bus', () => bus.close());
  const objects = await openDirectoryStore({ path: folder, clock });
  lifecycle.defer('objects', () => objects.close());
  subscribe(BUSINESS_EVENT_CHANNEL, (message) => {
    const { event, fields } = message as BusinessEvent;
    if (event === 'message-dead-lettered') throw new Error(`a dead letter: ${fields['code']}`);
    if (event !== 'report-published') return;
    published += 1;
    answerWhenPublished();
  });
  const settings = dataPipelineSettings(loadConfig(dataPipelineOptions, { env: {} }).config);
  const service = await startDataPipeline(
    {
      ...settings,
      download: { ...settings.download, allowedHosts: [host] },
      rules: { ...settings.rules, packs },
    },
    {
      ...{ bus, clock },
      telemetry: createTelemetry({ service: 'data-pipeline', level: 'error' }),
      openArchive: async (link) => {
        const url = new URL(link);
        return url.host === host ? undefined : await objects.openFile(url.pathname.slice(1));
      },
    },
  );
  lifecycle.defer('service', () => service.stop());
  while (!(await service.readiness()).ready) await clock.sleep(20);
}
