/** Where the all-in-one process keeps archives: in its data folder, or in a bucket. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TOPIC_UPLOAD_ANNOUNCE } from '../contracts/topics.ts';
import type { Bus } from '../platform/bus/bus.ts';
import type { Clock } from '../platform/clock/clock.ts';
import type { Lifecycle } from '../platform/lifecycle/lifecycle.ts';
import { type ObjectStore, OUTBOX_PREFIX } from '../platform/objects/object-store.ts';
import { checkLifecycle } from '../platform/objects/s3/lifecycle.ts';
import { parseS3Url, type S3SettingNames, type S3Settings } from '../platform/objects/s3/s3-settings.ts';
import type { AllInOneSettings, DataFolder } from './config.ts';

const setting = '--s3 (CCX_ALL_IN_ONE__RUN__S3)';

const names: S3SettingNames = {
  bucket: setting,
  endpoint: setting,
  region: `region behind the ? of ${setting}`,
  accessKey: `the key in ${setting}`,
  secretKey: `the secret in ${setting}`,
  caFile: `ca_file behind the ? of ${setting}`,
};

interface ArchivesContext {
  readonly folder: DataFolder;
  readonly clock: Clock;
  readonly bus: Bus;
  readonly lifecycle: Lifecycle;
  readonly progress: (line: string) => void;
}

interface Archives {
  readonly objects: ObjectStore;
  /** Where the pipeline may fetch by key. */
  readonly bucket: { readonly name: string; readonly objects: ObjectStore } | undefined;
}

/** Undefined for the data folder. Throws `CONFIG_INVALID`. */
export function bucketSettings({ s3 }: AllInOneSettings): S3Settings | undefined {
  return s3 === '' ? undefined : parseS3Url(s3, setting);
}

/** Rejects with an `OBJECTS_*` error. `s3`: the bucket, where there is to be one. */
export function openArchives(
  { retention, s3 }: Pick<AllInOneSettings, 'retention'> & { readonly s3: S3Settings | undefined },
  context: ArchivesContext,
): Promise<Archives> {
  return s3 === undefined ? openFolder(retention, context) : openBucket(s3, context);
}

async function openFolder(
  retention: AllInOneSettings['retention'],
  { folder, clock, lifecycle }: ArchivesContext,
): Promise<Archives> {
  const { openDirectoryStore } = await import('../platform/objects/directory/directory-store.ts');
  const objects = await openDirectoryStore({
    path: folder.objects,
    clock,
    retention: { ageMs: retention.archivesMs, totalBytes: retention.archivesBytes },
  });
  lifecycle.defer('object store', () => objects.close());
  return { objects, bucket: undefined };
}

async function openBucket(settings: S3Settings, context: ArchivesContext): Promise<Archives> {
  const { folder, clock, bus, lifecycle, progress } = context;
  const { openS3Store } = await import('../platform/objects/s3/s3-store.ts');
  const objects = await openS3Store({
    ...{ settings, names, clock, writes: true },
    onAway: ({ message }) => progress(`waiting: ${message}`),
  });
  lifecycle.defer('object store', () => objects.close());
  progress(`archives lie in the bucket ${objects.bucket}`);
  const waiting = await readdir(join(folder.objects, OUTBOX_PREFIX)).catch(() => []);
  if (waiting.length > 0) {
    const where = `${waiting.length} announcements wait in ${folder.objects}`;
    progress(`warning: ${where}: start once without --s3, until they are sent`);
  }
  await checkLifecycle(
    {
      rules: () => objects.lifecycleRules(),
      announcementsMs: () => bus.admin.retentionMs(TOPIC_UPLOAD_ANNOUNCE),
    },
    { info: () => undefined, warn: (_facts: object, text?: string) => progress(`warning: ${text}`) },
  );
  return { objects, bucket: { name: objects.bucket, objects } };
}
