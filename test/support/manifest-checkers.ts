/**
 * The checkers of manifests, for `*.manifests.test.ts`. Where they cannot be installed the file is skipped and says so; with
 * CCX_REQUIRE_MANIFESTS=1 that is a failure, so that a build cannot pass by leaving these tests out.
 */
import { runChecker, whyNoManifestCheckers } from '../../scripts/engines/manifest-checkers.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { assertKindMay } from './test-kinds.ts';

assertKindMay('check manifests');
const missing = whyNoManifestCheckers();
if (missing !== undefined) {
  if (readProcessInput().env['CCX_REQUIRE_MANIFESTS'] === '1')
    throw new Error(`${missing}, and CCX_REQUIRE_MANIFESTS=1 wants it`);
  console.log(`skipped: ${missing}`);
  process.exit(0);
}

/** What `kubectl kustomize` makes of a folder. Throws with what it says. */
export function kustomize(folder: string): string {
  const { code, stdout, output } = runChecker('kubectl', ['kustomize', folder]);
  if (code !== 0) throw new Error(output);
  return stdout;
}

/** `kubernetes-validate --strict`: 0 where every resource of a known kind is as its schema says, and says nothing more. */
export function validateKubernetes(file: string) {
  return runChecker('kubernetes-validate', ['--strict', '--kubernetes-version', '1.33', file]);
}

export function validateCompose(file: string) {
  return runChecker('check-jsonschema', ['--builtin-schema', 'vendor.compose-spec', file]);
}

export function hadolint(file: string) {
  return runChecker('hadolint', ['--no-color', file]);
}
