/** A folder as a source of content: what is wrong with it is told once, not with every load. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { type ContentFault, faultText } from './content-faults.ts';
import { createFolderContent } from './folder-content.ts';

test('what is wrong with a folder is told once, and again when it changes', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'config.yaml'), 'impact: {}\nresolution_risk: {}\n');
  mkdirSync(join(folder, 'external/bad'), { recursive: true });
  writeFileSync(join(folder, 'external/bad/plugin.yaml'), 'name: [\n');
  const told: string[][] = [];
  const onFaults = (faults: readonly ContentFault[]) => void told.push(faults.map(faultText));
  const content = createFolderContent({ folder, setting: 'none', onFaults });
  for (let round = 0; round < 2; round += 1) await content.load();
  writeFileSync(join(folder, 'external/bad/plugin.yaml'), 'name: Good\n');
  for (let round = 0; round < 2; round += 1) await content.load();
  assert.equal(told.length, 2);
  assert.match(told[0]!.join(), /^external\/bad\/plugin\.yaml:2: not YAML/);
  assert.deepEqual(told[1], []);
});
