/** Which rules a report was made with, as a version that changes with them. Sent beside each report, for readers that keep what was not found. */
import { createHash } from 'node:crypto';
import type { Rule } from './rule.ts';

/** The version that reports name as the origin of their findings; a test holds it equal to the package's. */
export const RULES_VERSION = '0.1.0';

export interface Catalogue {
  /** `ccx-notifications-<version>+<hash of the modules>`. */
  readonly version: string;
  /** Modules of all rules, sorted, those that are left out at the moment among them. */
  readonly rules: readonly string[];
}

const hashCharacters = 12;
const known = new WeakMap<readonly Rule[], Catalogue>();

/** Computed once for each list. */
export function catalogueOf(rules: readonly Rule[]): Catalogue {
  let catalogue = known.get(rules);
  if (catalogue === undefined) {
    const modules = rules.map(({ module }) => module).sort();
    const hash = createHash('sha256').update(modules.join('\n')).digest('hex').slice(0, hashCharacters);
    catalogue = { version: `ccx-notifications-${RULES_VERSION}+${hash}`, rules: modules };
    known.set(rules, catalogue);
  }
  return catalogue;
}
