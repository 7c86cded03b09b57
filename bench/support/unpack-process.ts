/**
 * Entry of a process that gunzips archives and parses their tar streams with the package `tar`, and does nothing else with them; it takes
 * half of them and gives the other half to a child of its own. Started by the benchmark of the data pipeline.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { unpackBare } from './unpack-bare.ts';

export interface UnpackOrder {
  readonly paths: readonly string[];
}

const isHelper = process.argv[2] === 'helper';
const helper = isHelper ? undefined : fork(import.meta.filename, ['helper']);

process.on('message', async ({ paths }: UnpackOrder) => {
  const half = helper === undefined ? paths.length : Math.ceil(paths.length / 2);
  const helped = helper === undefined ? undefined : once(helper, 'message');
  helper?.send({ paths: paths.slice(half) } satisfies UnpackOrder);
  for (const path of paths.slice(0, half)) {
    const files = await unpackBare(await readFile(path));
    if (files.length === 0) throw new Error(`${path} holds no files`);
  }
  await helped;
  process.send?.('unpacked');
});
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
