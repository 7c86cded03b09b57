/**
 * An installation of separate roles, on a Kafka or on topics in the database, as a team runs it: every role a `ccx` process of its own with
 * the least settings, one database, one directory of archives, the stand-ins as receivers.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SeaweedFs } from '../../scripts/engines/start-seaweedfs.ts';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { type StandIns, startStandIns } from '../../src/all-in-one/stand-ins/start-stand-ins.ts';
import {
  DEAD_LETTER_TOPICS,
  TOPIC_NOTIFICATIONS,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../../src/contracts/topics.ts';
import { errorText } from '../../src/encoding/ccx-error.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { parseKafkaSecurity } from '../../src/platform/bus/kafka/kafka-security.ts';
import { openBus } from '../../src/platform/bus/open-bus.ts';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { createSilentTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import { complaintsAbout, type Uploaded } from '../faults/check-promises.ts';
import { collectEvidence } from '../faults/evidence.ts';
import { createOperators, type Operators } from '../faults/operator.ts';
import { sweepObjectsByTime } from '../faults/sweep-by-time.ts';
import { type CcxProcess, type CcxRun, startCcx } from './ccx-process.ts';
import { createTestFolder } from './data-folder.ts';
import { createTestDatabase } from './postgres.ts';
import { s3IngressEnvironmentOf, s3PipelineEnvironmentOf } from './s3-environments.ts';

const clock = createSystemClock();

export const roleNames = ['ingress', 'data-pipeline', 'writer', 'notifier', 'tracker'] as const;
export type RoleName = (typeof roleNames)[number];
/** What can be started here: a role, or the process that is all of them. */
export type ProcessName = RoleName | 'all-in-one';

/** Only a failing test waits so long. */
const startMsMax = 60_000;
const stopMsMax = 20_000;
/** Of statuses that processes tell while they stop, until the tracker has stored them. */
const lastStatusesMsMax = 30_000;
const partitions = 3;

/** What follows is told to each target at the thresholds that the roles run with here. */
const findingSets: readonly (readonly string[])[] = [
  ['CONTROL_PLANE_NODE_REPLICAS', 'MCP_SET_TO_PAUSE'],
  ['UNSUPPORTED_CNI_PLUGIN'],
  [],
];

export interface RunningRole {
  readonly name: ProcessName;
  readonly process: CcxProcess;
  /** Where `/metrics` is, and `/ready` but for ingress. */
  readonly metricsUrl: string;
  readonly readyUrl: string;
}

export interface SeparateRoles {
  readonly bus: Bus;
  /** Absent with `all-in-one`, which brings its own. */
  readonly standIns: StandIns | undefined;
  readonly databaseUrl: string;
  /** Where clusters upload to; `/ready` of whoever listens there is beside it. */
  readonly ingressUrl: string;
  /** Environment and arguments of a role, as its operator would set them. */
  runOf(name: ProcessName): CcxRun;
  /** Resolves once it listens. Several of one role are members of the same group. */
  start(name: ProcessName): Promise<RunningRole>;
  /** Does not wait: a process that is to be killed may never come to listen. */
  launch(name: ProcessName, change?: Pick<CcxRun, 'killAt'>): CcxProcess;
  readonly operators: Operators;
  /** Uploads one archive of the next cluster; false when nobody acknowledged it, which leaves it for `uploadAgain`. */
  upload(): Promise<boolean>;
  /** Once more what nobody has acknowledged, with the same request ids; rejects when one is not accepted now either. */
  uploadAgain(): Promise<void>;
  uploads(): readonly Uploaded[];
  /** What is still missing of the promises, once none is or the time is up. */
  complaints(withinMs: number): Promise<readonly string[]>;
  /** SIGTERM to every role that runs, to the tracker once it has what the others told last; rejects when one does not end with code 0. Resolves to how long the slowest took. */
  stopRoles(): Promise<number>;
  /** Ends everything and removes it. */
  remove(): Promise<void>;
}

export function openKafka(brokers: readonly string[]): Promise<Bus> {
  const security = parseKafkaSecurity({ protocol: 'PLAINTEXT' });
  const settings = { kind: 'kafka' as const, brokers, clientId: 'test', security };
  return openBus(settings, { clock, telemetry: createSilentTelemetry('bus') });
}

/** What an administrator makes beforehand; writer and tracker make their dead-letter topics themselves. */
export async function makeTopics(bus: Bus): Promise<void> {
  const names = [TOPIC_UPLOAD_ANNOUNCE, TOPIC_OCP_RESULTS, TOPIC_NOTIFICATIONS, TOPIC_PAYLOAD_STATUS];
  await bus.admin.ensureTopics([
    ...names.map((name) => ({ name, partitions })),
    { name: DEAD_LETTER_TOPICS[0]!, partitions: 1 },
  ]);
}

export interface SeparateRolesOptions {
  /** Absent: topics are tables of the database. */
  readonly brokers?: readonly string[];
  /** The file that the roles read the URL of the database from; absent: it is in their environment. */
  readonly urlFile?: string;
  readonly seed: string;
  /** So many clusters upload in turn; each upload is of a new one by default. */
  readonly clusters?: number;
  /** Where the database is made; on the server of the test run by default. */
  readonly databaseServer?: string;
  /** Keeps the archives, which the data pipeline fetches by key; a directory by default. */
  readonly s3?: SeaweedFs;
  /** Only this is started: its own stand-ins take the place of the test's. */
  readonly allInOne?: boolean;
}

/** On topics that are empty: those of that name that the brokers have are removed first. */
export async function createRoles(options: SeparateRolesOptions): Promise<SeparateRoles> {
  const { brokers, seed, urlFile, s3, allInOne = false } = options;
  const folder = await createTestFolder();
  await mkdir(join(folder.path, 'objects'));
  const { databaseServer: server } = options;
  const context = await createTestDatabase(server === undefined ? {} : { server });
  const bus = await (brokers === undefined
    ? createPostgresBus({ database: context.database, clock })
    : openKafka(brokers));
  for (const topic of await bus.admin.listTopics()) await bus.admin.deleteTopic(topic);
  await makeTopics(bus);
  const standIns = allInOne
    ? undefined
    : await startStandIns({
        ...{ bus, clock, folder: join(folder.path, 'receivers') },
        wanted: { notificationBackend: true, serviceLog: true },
      });
  const [webPort = 0] = await freePorts(1);
  const settings: RoleContext = {
    ...{ brokers: brokers?.join(','), databaseUrl: context.url, folder: folder.path, webPort, standIns, s3 },
    database: urlFile === undefined ? { CCX_DATABASE_URL: context.url } : { CCX_DATABASE_URL_FILE: urlFile },
  };
  const ingressUrl = `http://127.0.0.1:${webPort}/api/ingress/v1/upload`;
  const running = new Map<CcxProcess, ProcessName>();
  const operators = createOperators(seed, findingSets, options.clusters);
  const judge = async (): Promise<readonly string[]> => {
    try {
      if (running.size === 0) await sweepObjectsByTime(folder.path);
      const evidence = await collectEvidence(context.database, folder.path, bus);
      // A running ingress has files that are not finished.
      const leftovers = running.size > 0 ? [] : evidence.leftovers;
      return complaintsAbout({ ...evidence, leftovers }, { uploads: operators.uploads() });
    } catch (error) {
      // Tables and topics that a role has not made yet, or a broker that is away.
      return [`nothing can be said yet: ${errorText(error)}`];
    }
  };
  const launch = (name: ProcessName, change: Pick<CcxRun, 'killAt'> = {}): CcxProcess => {
    const process = startCcx({ ...roleRun(name, settings), ...change });
    running.set(process, name);
    process.child.once('exit', () => running.delete(process));
    return process;
  };
  const end = async (process: CcxProcess, signal: NodeJS.Signals) => {
    process.kill(signal);
    return await process.exited(stopMsMax);
  };
  const namesOf = (name: ProcessName) => [...running].filter(([, other]) => other === name).map(([process]) => process);
  const stop = async (processes: readonly CcxProcess[]): Promise<number> => {
    const startedMs = clock.monotonicMs();
    await Promise.all(
      processes.map(async (process) => {
        const { code, signal } = await end(process, 'SIGTERM');
        if (code === 0) return;
        throw new Error(`${process.child.spawnargs.join(' ')} ended with ${signal ?? code}:\n${process.stderr()}`);
      }),
    );
    return clock.monotonicMs() - startedMs;
  };
  const complaints = async (withinMs: number): Promise<readonly string[]> => {
    const deadlineMs = clock.monotonicMs() + withinMs;
    for (;;) {
      const found = await judge();
      if (found.length === 0 || clock.monotonicMs() > deadlineMs) return found;
      await clock.sleep(250);
    }
  };
  return {
    bus,
    standIns,
    databaseUrl: context.url,
    ...{ ingressUrl, operators },
    runOf: (name) => roleRun(name, settings),
    launch,
    async start(name) {
      const process = launch(name);
      return { name, process, ...(await listening(name, process)) };
    },
    upload: () => operators.upload(operators.gather(), ingressUrl, 'same-id'),
    async uploadAgain() {
      for (const gathering of operators.waiting())
        if (!(await operators.upload(gathering, ingressUrl, 'same-id')))
          throw new Error('an upload was not accepted again');
    },
    uploads: () => operators.uploads(),
    complaints,
    async stopRoles() {
      const trackers = namesOf('tracker');
      const slowestMs = await stop([...running.keys()].filter((process) => !trackers.includes(process)));
      // Who stops has a last status to tell, which waits for a tracker that comes back where this one does not take it.
      if (trackers.length > 0) await complaints(lastStatusesMsMax);
      return Math.max(slowestMs, await stop(trackers));
    },
    async remove() {
      await Promise.all([...running.keys()].map((process) => end(process, 'SIGKILL')));
      await standIns?.stop();
      await bus.close();
      await context.drop();
      await folder.remove();
    },
  };
}

interface RoleContext {
  readonly brokers: string | undefined;
  readonly databaseUrl: string;
  /** Environment that names the database to a role. */
  readonly database: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly webPort: number;
  readonly standIns: StandIns | undefined;
  readonly s3: SeaweedFs | undefined;
}

/** As in docs/roles.md; beyond that only free ports, shorter waits, and the thresholds of the all-in-one process. */
function roleRun(name: ProcessName, context: RoleContext): CcxRun {
  const { brokers, databaseUrl, database, folder, webPort, standIns, s3 } = context;
  const bus = brokers === undefined ? ['--bus', 'postgres'] : ['--bus', 'kafka', '--brokers', brokers];
  switch (name) {
    case 'all-in-one':
      return {
        args: [
          ...['all-in-one', '--database', databaseUrl, '--data', folder],
          ...(brokers === undefined ? [] : ['--kafka', brokers]),
          ...['--port', String(webPort), '--log-level', 'info'],
        ],
        env: {
          CCX_ALL_IN_ONE__BUS__SESSION_TIMEOUT: sessionTimeout,
          CCX_NOTIFICATION_SERVICE__DELIVERY__LEASE: '30s',
        },
      };
    case 'ingress':
      return {
        args: ['ingress', '--host', '127.0.0.1', ...bus.slice(0, 2)],
        env: {
          ...(brokers === undefined ? {} : { INGRESS_KAFKABROKERS: brokers }),
          ...(s3 === undefined
            ? { INGRESS_STAGERIMPLEMENTATION: 'filebased', INGRESS_STORAGEFILESYSTEMPATH: join(folder, 'objects') }
            : s3IngressEnvironmentOf(s3)),
          INGRESS_VALID_UPLOAD_TYPES: 'openshift',
          INGRESS_WEBPORT: String(webPort),
          INGRESS_SERVICEBASEURL: `http://127.0.0.1:${webPort}`,
          INGRESS_METRICSPORT: '0',
          ...database,
        },
      };
    case 'data-pipeline':
      return {
        args: ['data-pipeline', ...bus, '--operations-port', '0'],
        env: {
          ...(s3 === undefined
            ? { CCX_DATA_PIPELINE__DOWNLOAD__ALLOWED_HOSTS: `127.0.0.1:${webPort}` }
            : s3PipelineEnvironmentOf(s3)),
          CCX_DATA_PIPELINE__OPERATIONS__HOST: '127.0.0.1',
          CCX_DATA_PIPELINE__RULES__RUNNERS: '1',
          ...database,
          CCX_DATA_PIPELINE__BUS__SESSION_TIMEOUT: sessionTimeout,
        },
      };
    case 'writer':
      return {
        args: ['writer', ...bus],
        env: {
          ...database,
          CCX_NOTIFICATION_WRITER__STORAGE__ENSURE_SCHEMA: 'true',
          CCX_NOTIFICATION_WRITER__METRICS__ADDRESS: '127.0.0.1:0',
          CCX_NOTIFICATION_WRITER__BUS__SESSION_TIMEOUT: sessionTimeout,
        },
      };
    case 'notifier':
      return {
        args: ['notifier', ...bus],
        env: {
          ...database,
          CCX_NOTIFICATION_SERVICE__SERVICE_LOG__ENABLED: 'true',
          CCX_NOTIFICATION_SERVICE__SERVICE_LOG__URL: standIns!.serviceLog!.postUrl,
          CCX_NOTIFICATION_SERVICE__SERVICE_LOG__TOKEN_URL: standIns!.tokens!.tokenUrl,
          CCX_NOTIFICATION_SERVICE__SERVICE_LOG__CLIENT_ID: standIns!.clientId,
          CCX_NOTIFICATION_SERVICE__SERVICE_LOG__CLIENT_SECRET: standIns!.clientSecret,
          CCX_NOTIFICATION_SERVICE__SERVICE_LOG__TOTAL_RISK_THRESHOLD: '2',
          CCX_NOTIFICATION_SERVICE__SERVICE_LOG__TAG_FILTER_ENABLED: 'false',
          CCX_NOTIFICATION_SERVICE__OPERATIONS__HOST: '127.0.0.1',
          CCX_NOTIFICATION_SERVICE__OPERATIONS__PORT: '0',
          CCX_NOTIFICATION_SERVICE__FOLLOW__POLL: '500ms',
          CCX_NOTIFICATION_SERVICE__DELIVERY__BACKOFF_MAX: '1s',
          CCX_NOTIFICATION_SERVICE__DELIVERY__LEASE: '30s',
        },
      };
    case 'tracker':
      return {
        args: ['tracker', ...bus, '--host', '127.0.0.1', '--port', '0'],
        env: { ...database, CCX_TRACKER__BUS__SESSION_TIMEOUT: sessionTimeout },
      };
  }
}

/** Short, so that a member that was killed is missed soon. */
const sessionTimeout = '3s';

async function listening(
  name: ProcessName,
  process: CcxProcess,
): Promise<Pick<RunningRole, 'metricsUrl' | 'readyUrl'>> {
  if (name === 'all-in-one') {
    const [, url = ''] = await process.waitForOutput(/uploads +(http:\/\/[^/\s]+)/, startMsMax);
    return { metricsUrl: `${url}/metrics`, readyUrl: `${url}/ready` };
  }
  if (name === 'ingress') {
    const [, web = '', metrics = ''] = await process.waitForOutput(
      /"web":"(http[^"]+)","metrics":"(http[^"]+)"/,
      startMsMax,
    );
    return { metricsUrl: `${metrics}/metrics`, readyUrl: `${web}/ready` };
  }
  const [, url = ''] = await process.waitForOutput(/"url":"(http[^"]+)"/, startMsMax);
  return { metricsUrl: `${url}/metrics`, readyUrl: `${url}/ready` };
}
