/**
 * One kill scenario from beginning to end: uploads come in, the process is killed at a chosen point, perhaps again after its restart, the
 * operator uploads again what nobody acknowledged, and when all is quiet every promise is checked.
 */
import { inspect } from 'node:util';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import type { CcxProcess } from '../support/ccx-process.ts';
import { complaintsAbout } from './check-promises.ts';
import { createFaultyInstallation, type FaultyInstallation, type Template } from './faulty-installation.ts';

export interface Kill {
  /** A business event (`service/event:n`), or so many milliseconds after the process took uploads or, below zero, after its start. */
  readonly at: string | number;
  /** PostgreSQL dies at the same moment, as when the power fails. */
  readonly withServer: boolean;
  /** So many milliseconds before, it was asked to stop (SIGTERM) and is in the middle of that, or even through. */
  readonly stoppingMs?: number;
}

export interface KillScenario {
  readonly name: string;
  readonly kills: readonly Kill[];
  /** What the operator does whose upload got no answer. */
  readonly retry: 'same-id' | 'new-id';
  /** True: leases of dead processes are waited for; false: time is moved on. */
  readonly waitsForLeases: boolean;
  /** True: the first kill meets the very first start, which makes database and tables. */
  readonly isNew?: boolean;
}

export interface ScenarioResult {
  readonly complaints: readonly string[];
  readonly gatherings: number;
  /** Uploads that a kill has cut off. */
  readonly cutOff: number;
  readonly ms: number;
}

const clock = createSystemClock();
/** Uploads that go on at once, as soon as the process listens. */
const uploadsAtOnce = 3;
/** Then another cluster uploads at this interval, until the process is dead. */
const uploadEveryMs = 300;
const gatheringsPerKill = 12;
/** How long after the last upload a process may live whose end is due. */
const killMsMax = 20_000;

/** Never rejects: what goes wrong is a complaint. */
export async function runKillScenario(template: Template, scenario: KillScenario): Promise<ScenarioResult> {
  const startedMs = clock.monotonicMs();
  const installation = await createFaultyInstallation({
    template,
    isNew: scenario.isNew === true,
    seed: scenario.name,
  });
  const complaints: string[] = [];
  let cutOff = 0;
  try {
    for (const kill of scenario.kills) {
      complaints.push(...(await runUntilKilled(installation, kill, scenario)));
      cutOff += installation.waiting().length;
      if (!scenario.waitsForLeases) await installation.endLeases();
    }
    // Killed before anybody could upload: then somebody does now.
    if (installation.uploads().length === 0) installation.gather();
    if (scenario.retry === 'new-id') await installation.runToEnd(installation.waiting());
    else {
      if (installation.waiting().length > 0) await uploadAgainAndStop(installation);
      await installation.runToEnd([]);
    }
    const uploads = installation.uploads();
    const { evidence, leftProcesses } = await installation.collect();
    complaints.push(...complaintsAbout(evidence, { uploads }));
    complaints.push(...leftProcesses.map((line) => `still running: ${line}`));
  } catch (error) {
    complaints.push(inspect(error));
  } finally {
    await installation.remove();
  }
  return {
    complaints,
    gatherings: installation.uploads().length,
    cutOff,
    ms: Math.round(clock.monotonicMs() - startedMs),
  };
}

/** Uploads until the process is dead. */
async function runUntilKilled(
  installation: FaultyInstallation,
  kill: Kill,
  { retry }: Pick<KillScenario, 'retry'>,
): Promise<string[]> {
  const { process, uploadUrl } = installation.run({
    ...(typeof kill.at === 'string' ? { killAt: kill.at } : {}),
    killServerToo: kill.withServer,
  });
  const ended = endOf(process);
  const moment = { installation, process, ended, kill };
  if (typeof kill.at === 'number' && kill.at < 0) void killAt(moment, -kill.at);
  const url = await uploadUrl;
  if (url !== undefined) {
    if (typeof kill.at === 'number' && kill.at >= 0) void killAt(moment, kill.at);
    await uploadWhileAlive(installation, { url, ended, retry });
  }
  const late = await clock.sleep(killMsMax, ended).then(
    () => true,
    () => false,
  );
  if (late) process.kill('SIGKILL');
  const { code, signal } = await process.exited(killMsMax);
  if (kill.stoppingMs !== undefined && code === 0) return [];
  if (late) return [`${kill.at} did not come, so it was not killed there`];
  return signal === 'SIGKILL' ? [] : [`it ended with ${signal ?? code} before it was killed:\n${process.stderr()}`];
}

async function uploadWhileAlive(
  installation: FaultyInstallation,
  how: { readonly url: string; readonly ended: AbortSignal; readonly retry: 'same-id' | 'new-id' },
): Promise<void> {
  const { url, ended, retry } = how;
  const first = [...installation.waiting()];
  while (first.length < uploadsAtOnce) first.push(installation.gather());
  await Promise.all(first.map((gathering) => installation.upload(gathering, url, retry)));
  for (let more = first.length; more < gatheringsPerKill && !ended.aborted; more += 1) {
    await clock.sleep(uploadEveryMs, ended).catch(() => undefined);
    if (!ended.aborted) await installation.upload(installation.gather(), url, retry);
  }
}

/** The operator's second try meets a process that is asked to stop right behind its answer. */
async function uploadAgainAndStop(installation: FaultyInstallation): Promise<void> {
  const { process, uploadUrl } = installation.run();
  const url = await uploadUrl;
  for (const gathering of installation.waiting())
    if (url === undefined || !(await installation.upload(gathering, url, 'same-id')))
      throw new Error(`an upload was not accepted after the restart:\n${process.stderr()}`);
  process.kill('SIGTERM');
  const { code, signal } = await process.exited(killMsMax);
  if (code !== 0) throw new Error(`after SIGTERM it ended with ${signal ?? code}:\n${process.stderr()}`);
}

interface Moment {
  readonly installation: FaultyInstallation;
  readonly process: CcxProcess;
  readonly ended: AbortSignal;
  readonly kill: Kill;
}

/** Aborted when the process is gone. */
function endOf(process: CcxProcess): AbortSignal {
  const controller = new AbortController();
  process.child.once('exit', () => controller.abort());
  return controller.signal;
}

async function killAt(moment: Moment, ms: number): Promise<void> {
  const { installation, process, ended, kill } = moment;
  await clock.sleep(ms, ended).catch(() => undefined);
  if (kill.stoppingMs !== undefined && !ended.aborted) {
    process.kill('SIGTERM');
    await clock.sleep(kill.stoppingMs, ended).catch(() => undefined);
  }
  if (ended.aborted) return;
  if (kill.withServer) await installation.killServer();
  process.kill('SIGKILL');
}
