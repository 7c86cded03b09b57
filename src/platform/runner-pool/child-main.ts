/**
 * Entry of every runner child: loads the module that its `start` message names, then runs one job at a time. Started by `launchChild` only. What
 * contains a job (deadline, memory) is outside, in the parent; what ends an orphan is the thread started here.
 */
import { closeSync, openSync } from 'node:fs';
import { flushCompileCache, getCompileCacheDir } from 'node:module';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { writeLabel } from './label-file.ts';
import type { FromChild, JobFailure, RunJob, RunnerModule, ToChild } from './runner-job.ts';
import { watchParent } from './watch-parent.ts';

const loaded = Promise.withResolvers<RunJob<unknown, unknown>>();

process.on('message', (message: ToChild) => {
  // A rejection here is a module that cannot be loaded: it ends the process, and the parent reads why on stderr.
  void (message.kind === 'start' ? start(message) : runOne(message));
});

async function start(message: Extract<ToChild, { kind: 'start' }>): Promise<void> {
  watchParent(message.parentPid);
  const module: Partial<RunnerModule<unknown, unknown>> = await import(message.module);
  if (typeof module.runJob !== 'function') throw new Error(`${message.module} exports no function runJob`);
  dropStartRights();
  loaded.resolve(module.runJob);
  send({ kind: 'ready', readsOpenFiles: message.openFile !== undefined && canOpen(message.openFile) });
}

function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Written here, since what comes may kill the process: the code for the next child. Then nothing in here may write any more. */
function dropStartRights(): void {
  if (getCompileCacheDir() === undefined) return;
  flushCompileCache();
  const permission = process.permission as typeof process.permission & { drop(scope: string): void };
  permission.drop('fs.write');
  // A new thread would begin with all rights of the start.
  permission.drop('worker');
}

async function runOne(message: Extract<ToChild, { kind: 'job' }>): Promise<void> {
  const { id } = message;
  const runJob = await loaded.promise;
  const before = process.cpuUsage();
  const cpuMs = () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  let label: string | undefined;
  const context = {
    label(text: string): void {
      label = writeLabel(id, text);
    },
  };
  try {
    const value = await runJob(message.job, context);
    send({ kind: 'result', id, cpuMs: cpuMs(), value });
  } catch (error) {
    send({ kind: 'failed', id, cpuMs: cpuMs(), label, error: describeFailure(error) });
  }
}

function send(message: FromChild): void {
  process.send?.(message);
}

function describeFailure(error: unknown): JobFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof CcxError)) return { message, cause: error instanceof Error ? error.stack : undefined };
  const { code, category, retryable, hint } = error;
  return {
    message,
    cause: error.cause === undefined ? undefined : errorText(error.cause),
    code,
    category,
    retryable,
    hint,
  };
}
