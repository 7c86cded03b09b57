/** Throw-away data folders for tests that start whole installations. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isEmbeddedPostgresSupported } from '../../src/platform/database/embedded/binaries.ts';

/** Why no installation can be started here, or false: what the option `skip` of a test takes. */
export function whyNoInstallation(): string | false {
  if (isEmbeddedPostgresSupported()) return false;
  return `no embedded PostgreSQL for ${process.platform}-${process.arch}`;
}

export interface TestFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** Under the root account PostgreSQL runs as another one, which has to get in; `mkdtemp` lets nobody in. */
export async function createTestFolder(): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), 'ccx-test-'));
  await chmod(path, 0o755);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
