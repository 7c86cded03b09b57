/** Folders for a test's files. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Empty, and removed when the test's process ends. Anybody may look into it: under the root account PostgreSQL runs as another one. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ccx-test-'));
  chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

/** A file of that name and text in a folder of its own. */
export function temporaryFile(name: string, text: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}
