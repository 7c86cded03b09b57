/**
 * A whole installation inside the test's process, as `ccx all-in-one` starts it, in a folder of its own, and ways to look at what lies in
 * it: the database, the topics, the object store, the business events.
 */
import { Writable } from 'node:stream';
import { allInOneOptions, allInOneSettings } from '../../src/all-in-one/config.ts';
import { type AllInOne, startAllInOne } from '../../src/all-in-one/start-all-in-one.ts';
import type { BusRecord } from '../../src/platform/bus/bus.ts';
import { type Clock, createSystemClock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import { createTestFolder } from './data-folder.ts';
import type { TestDatabase } from './postgres.ts';
import { type EventWatch, watchEvents } from './watch-events.ts';

export interface Installation extends AllInOne {
  readonly clock: Clock;
  /** A connection of the test's own. */
  readonly database: Database;
  /** Everything since before the start. */
  readonly events: EventWatch;
  /** Every record of a topic, by partition and offset. */
  readTopic(topic: string): Promise<readonly BusRecord[]>;
  /** Stops everything and removes the folder. Rejects when something did not stop cleanly. */
  end(): Promise<void>;
}

export interface InstallationOptions {
  /** Settings of the services, by their environment names. */
  readonly env?: Readonly<Record<string, string>>;
  /** Puts into the data folder what lies there before the start. */
  readonly fill?: (folder: string, clock: Clock) => Promise<void>;
  /** A database of the test run's server, dropped with the installation; without it the installation starts a server of its own. */
  readonly database?: TestDatabase;
}

export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const { env = {}, fill, database: given } = options;
  const clock = createSystemClock();
  const folder = await createTestFolder();
  await fill?.(folder.path, clock);
  const events = watchEvents();
  const lifecycle = new Lifecycle(clock);
  lifecycle.defer('events', () => events.close());
  const end = async () => {
    const { failed } = await lifecycle.stop();
    await given?.drop();
    await folder.remove();
    if (failed.length > 0) throw new Error(`did not stop cleanly: ${JSON.stringify(failed)}`);
  };
  try {
    const flags = { 'run.data': folder.path, 'run.port': '0', 'run.database': given?.url, 'logging.level': 'silent' };
    const settings = allInOneSettings(loadConfig(allInOneOptions, { env, flags }).config);
    const installation = await startAllInOne(settings, {
      ...{ clock, env, lifecycle },
      log: new Writable({ write: (_chunk, _encoding, done) => done() }),
      progress: () => undefined,
      version: 'test',
    });
    const database = given?.database ?? connectDatabase({ url: installation.databaseUrl, applicationName: 'test' });
    if (given === undefined) lifecycle.defer('database of the test', () => database.close());
    return { ...installation, clock, database, events, readTopic: (topic) => readTopic(installation, topic), end };
  } catch (error) {
    await end().catch(() => undefined);
    throw error;
  }
}

/** More than a test writes. */
const recordsMax = 1_000;

async function readTopic({ bus }: AllInOne, topic: string): Promise<readonly BusRecord[]> {
  const records: BusRecord[] = [];
  for (const { partition, start } of await bus.admin.lag('nobody', [topic]))
    records.push(...(await bus.admin.read({ topic, partition, offset: start }, recordsMax)));
  return records;
}
