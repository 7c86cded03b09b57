/**
 * Builds the image and the archives of `deploy/air-gapped`, for `*.image.test.ts`. Where they cannot be built the file is skipped and says
 * so; with CCX_REQUIRE_IMAGE=1 that is a failure, so that a build cannot pass by leaving these tests out.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../scripts/docs/source-tree.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { assertKindMay, whyNoImages } from './test-kinds.ts';

const { env } = readProcessInput();

assertKindMay('build images');
const missing = whyNoImages();
if (missing !== undefined) {
  if (env['CCX_REQUIRE_IMAGE'] === '1') throw new Error(`${missing}, and CCX_REQUIRE_IMAGE=1 wants it`);
  console.log(`skipped: ${missing}`);
  process.exit(0);
}

const run = promisify(execFile);
const storage = { ...env, BUILDAH_ISOLATION: 'chroot', STORAGE_DRIVER: 'vfs' };

/** Path of the docker-archive, in the folder. Debian and npm's registry are asked, a registry of images is not. */
export async function makeImage(folder: string): Promise<string> {
  const { stdout: args } = await run(join(repositoryRoot, 'scripts/deploy/base-images.sh'), [], { env: storage });
  const make = join(repositoryRoot, 'deploy/air-gapped/make-image.sh');
  const { stdout } = await run(make, [folder, ...args.trim().split(' ')], { env: storage });
  return stdout.trim();
}

export async function makeArchive(arch: 'x64' | 'arm64', folder: string): Promise<string> {
  const make = join(repositoryRoot, 'deploy/air-gapped/make-archive.sh');
  return (await run(make, [arch, folder], { env })).stdout.trim();
}

/** A container of a docker-archive, and how to run its programs as its user. */
export async function openImage(archive: string) {
  const buildah = async (...args: string[]) => await run('buildah', args, { env: storage, maxBuffer: 64 * 1024 ** 2 });
  const name = (await buildah('from', `docker-archive:${archive}`)).stdout.trim();
  const inspected = JSON.parse((await buildah('inspect', name)).stdout);
  return {
    config: inspected.OCIv1.config as Readonly<Record<string, unknown>>,
    /** Resolves to its standard output; rejects unless it ends with 0. */
    async run(...command: string[]): Promise<string> {
      return (await buildah('run', '--network', 'host', name, '--', ...command)).stdout;
    },
    async remove(): Promise<void> {
      await buildah('rm', name);
      await buildah('rmi', '--force', inspected.FromImage);
    },
  };
}
