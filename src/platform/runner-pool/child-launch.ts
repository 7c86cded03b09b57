/**
 * With which flags, environment and descriptors a runner child is started. A child works on hostile input and runs code that is only
 * trusted, so it gets no secret of ours, no right to write files or start programs, and sees no file outside this program, but those that
 * are open in its parent where jobs name such.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Share of a child's memory limit that V8's old generation may take. The rest is for buffers, code and the young generation; V8 then
 * gives up by itself shortly before the watcher would kill.
 */
const heapShareOfMemory = 0.75;

/**
 * A job makes some MB that are gone with it: a larger young generation keeps them longer, in every child, for a fifth of the collector's time
 * (16 MB are V8's own measure; 4 cost more time and save little).
 */
const youngHalfMegabytes = 8;
/** Threads beside the main one: with as many children as processors more of them only get in each other's way. */
const v8Threads = 1;

export interface ChildLaunch {
  readonly module: URL;
  readonly childBytesMax: number;
  /** Its jobs name open files of this process (`/proc` of Linux); it can then read all that are open here. */
  readonly readsOpenFiles?: boolean;
  /** In addition to the fixed environment; never a secret. */
  readonly env?: Readonly<Record<string, string>>;
}

const programRoot = fileURLToPath(new URL('../../../', import.meta.url));
const childMain = fileURLToPath(new URL('./child-main.ts', import.meta.url));

/**
 * Starts the process; it then waits for its `start` message, and writes its labels to that descriptor of ours. May throw, or emit `error`,
 * when the system refuses.
 */
export function launchChild(launch: ChildLaunch, labels: number): ChildProcess {
  const cache = compileCacheFolder();
  const child = fork(childMain, [], {
    execPath: process.execPath,
    execArgv: [...childFlags(launch), ...cacheFlags(cache)],
    env: { TZ: 'UTC', LANG: 'C.UTF-8', ...launch.env, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }) },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', labels],
    // A session of its own: Ctrl-C in a terminal reaches the service only, which then stops in its own order.
    detached: true,
  });
  if (child.pid !== undefined) preferForOomKill(child.pid);
  return child;
}

function childFlags(launch: ChildLaunch): string[] {
  const heapMegabytes = Math.max(16, Math.floor((launch.childBytesMax * heapShareOfMemory) / 2 ** 20));
  return [
    `--max-old-space-size=${heapMegabytes}`,
    `--max-semi-space-size=${youngHalfMegabytes}`,
    `--v8-pool-size=${v8Threads}`,
    '--permission',
    // The thread that ends an orphan is a worker.
    '--allow-worker',
    '--disable-warning=SecurityWarning',
    ...(launch.readsOpenFiles === true ? [`--allow-fs-read=${openFilePath('*')}`] : []),
    ...[...readableFolders(launch.module)].map((folder) => `--allow-fs-read=${join(folder, '*')}`),
  ];
}

/** Where a child finds a file that is open here. */
export function openFilePath(descriptor: number | '*'): string {
  return `/proc/${process.pid}/fd/${descriptor}`;
}

/**
 * Where this process keeps compiled code, if it does. A child that could write there when it meets an archive could have others run what it
 * likes, so it is given the folder only where Node lets it give the right away again, which it does before its first job.
 */
function compileCacheFolder(): string | undefined {
  const folder = getCompileCacheDir();
  return folder === undefined || !canDropPermissions() ? undefined : dirname(folder);
}

/** `process.permission.drop`, which a process without `--permission` cannot ask for. */
function canDropPermissions(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major >= 27 || (major === 26 && minor >= 6) || (major === 24 && minor >= 20);
}

function cacheFlags(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  return [`--allow-fs-read=${join(folder, '*')}`, `--allow-fs-write=${join(folder, '*')}`];
}

/** The program, its packages (which may be a link to elsewhere) and the module's own folder, as real paths. */
function readableFolders(module: URL): Set<string> {
  const folders = new Set<string>();
  for (const folder of [programRoot, join(programRoot, 'node_modules'), dirname(fileURLToPath(module))]) {
    try {
      folders.add(folder.replace(/\/$/, ''));
      folders.add(realpathSync(folder));
    } catch {
      // A folder that does not exist needs no permission.
    }
  }
  return folders;
}

/** When the machine runs out of memory the kernel shall take a replaceable child, not the service. */
function preferForOomKill(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // Not Linux, or not allowed: the kernel then decides by size, which is also the child that is too large.
  }
}
