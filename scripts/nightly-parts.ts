/**
 * The parts of `npm run nightly`: what takes minutes, or needs what the machine of every change has not. `.ci/run` runs a smaller share of most
 * of them, another one each time where chance decides; `nightly.ts` runs them whole.
 */
export interface NightlyPart {
  /** For `--only`. */
  readonly name: string;
  readonly what: string;
  /** Arguments of node, in the root folder. */
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const tests = (kind: string, file: string): readonly string[] => ['scripts/test.ts', '--rest', `--${kind}`, file];

export const nightlyParts: readonly NightlyPart[] = [
  {
    name: 'all-at-once',
    what: '1,000 archives of 200 clusters through roles on Kafka, PostgreSQL and S3, each of which is killed',
    command: tests('engines', 'all-at-once.engines'),
    environment: { CCX_TEST_ARCHIVES: '1000' },
  },
  {
    name: 'kill-points',
    what: 'everything in one process on Kafka, killed at every line of docs/guarantees.md',
    command: tests('kafka', 'kafka-kill.kafka'),
    environment: { CCX_TEST_KILL_POINTS: 'all' },
  },
  {
    name: 'soak',
    what: 'a whole series of kills, fifty kills of writers, 200 histories of a notification service, 10,000 archives by chance',
    command: ['scripts/soak.ts'],
  },
  {
    name: 'slow-clients',
    what: 'every attack of a thousand slow clients',
    command: tests('load', 'slow-clients.load'),
    environment: { CCX_TEST_ATTACKS: 'all' },
  },
  {
    name: 'image',
    what: 'the image, built by buildah upon Debian, and its programs; the archive for the other processor',
    command: tests('image', 'air-gapped.image'),
  },
  {
    name: 'versitygw',
    what: 'archives in a bucket of another S3 server, versitygw',
    // It has no lifecycle, and keeps keys as paths of files: none can lie below another.
    command: [
      ...tests('s3', 's3-store.s3'),
      'archives-in-a-bucket',
      '--test-skip-pattern=/lifecycle|drops by itself|never share an object/',
    ],
    environment: { CCX_TEST_S3: 'versitygw' },
  },
];
