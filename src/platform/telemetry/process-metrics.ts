/**
 * The `process_*` metrics of Go's client library, names and help texts as there, so that dashboards and alerts written for the reference go on
 * working. Read from `/proc` when somebody scrapes; where there is no `/proc` only those that Node knows are there. Registered by the
 * servers that show a role's metrics; ingress has Node's own set, which holds most of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Counter, Gauge, type Registry } from './prometheus.ts';

/** What Go's library shows for "unlimited": the largest unsigned number of 64 bits. */
const unlimited = 2 ** 64;
const bytesPerKibibyte = 1024;

interface ProcessMetric {
  readonly name: string;
  readonly help: string;
  /** Undefined where the system does not say. */
  readonly read: () => number | undefined;
}

const metrics: readonly ProcessMetric[] = [
  {
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    read() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  {
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    // Reading the folder takes one itself.
    read: () => orUndefined(() => readdirSync('/proc/self/fd').length - 1),
  },
  {
    name: 'process_max_fds',
    help: 'Maximum number of open file descriptors.',
    read: () => softLimit('Max open files'),
  },
  {
    name: 'process_virtual_memory_bytes',
    help: 'Virtual memory size in bytes.',
    read() {
      const kibibytes = firstMatch('/proc/self/status', /^VmSize:\s+(\d+) kB$/m);
      return kibibytes === undefined ? undefined : Number(kibibytes) * bytesPerKibibyte;
    },
  },
  {
    name: 'process_virtual_memory_max_bytes',
    help: 'Maximum amount of virtual memory available in bytes.',
    read: () => softLimit('Max address space'),
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    read: () => process.memoryUsage.rss(),
  },
  {
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    read: () => performance.timeOrigin / 1_000,
  },
  {
    name: 'process_network_receive_bytes_total',
    help: 'Number of bytes received by the process over the network.',
    read: () => networkOctets('InOctets'),
  },
  {
    name: 'process_network_transmit_bytes_total',
    help: 'Number of bytes sent by the process over the network.',
    read: () => networkOctets('OutOctets'),
  },
];

/** Safe to call twice, and beside a service that has some of them of its own. */
export function registerProcessMetrics(registry: Registry): void {
  for (const { name, help, read } of metrics) {
    if (registry.getSingleMetric(name) !== undefined || read() === undefined) continue;
    const registers = [registry];
    if (!name.endsWith('_total')) {
      new Gauge({
        ...{ name, help, registers },
        collect() {
          this.set(read() ?? 0);
        },
      });
    } else {
      new Counter({
        ...{ name, help, registers },
        collect() {
          this.reset();
          this.inc(read() ?? 0);
        },
      });
    }
  }
}

function softLimit(name: string): number | undefined {
  const text = firstMatch('/proc/self/limits', new RegExp(`^${name}\\s+(\\S+)`, 'm'));
  if (text === undefined) return undefined;
  return text === 'unlimited' ? unlimited : Number(text);
}

/** Of the network namespace that the process is in, as in Go's library: a line of names, then one of values. */
function networkOctets(name: string): number | undefined {
  const [names, values] = [...(textOf('/proc/self/net/netstat') ?? '').matchAll(/^IpExt: (.*)$/gm)].map((line) =>
    line[1]!.split(' '),
  );
  const value = values?.[names?.indexOf(name) ?? -1];
  return value === undefined ? undefined : Number(value);
}

function firstMatch(path: string, pattern: RegExp): string | undefined {
  return pattern.exec(textOf(path) ?? '')?.[1];
}

function textOf(path: string): string | undefined {
  return orUndefined(() => readFileSync(path, 'latin1'));
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
