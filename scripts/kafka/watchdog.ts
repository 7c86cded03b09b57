/**
 * Sees to it that no server outlives whoever started it, even when that process is killed: a small shell in a session of its own that
 * waits on its standard input. The word "dismissed" sends it home; the end of input without it means that we died.
 */
import { type ChildProcess, spawn } from 'node:child_process';

export interface Watchdog {
  /** Ends this process, and removes the folder, if we die. */
  guard(child: ChildProcess): void;
  dismiss(): void;
}

/** `folder`: removed if we die, with what else is named; the server's command line must contain it. */
export function startWatchdog(folder: string, others: readonly string[] = []): Watchdog {
  const script = `pids=
    while read -r word; do
      [ "$word" = dismissed ] && exit 0
      pids="$pids $word"
    done
    for pid in $pids; do
      # Only if that number is still the server: another process may have it by now.
      tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q "$1" && kill -KILL "$pid"
    done
    sleep 1
    rm -rf "$@"`;
  const child = spawn('/bin/sh', ['-c', script, 'watchdog', folder, ...others], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as unknown as { unref?: () => void }).unref?.();
  return {
    guard(broker) {
      if (broker.pid !== undefined) child.stdin.write(`${broker.pid}\n`);
    },
    dismiss() {
      child.stdin.end('dismissed\n');
    },
  };
}
