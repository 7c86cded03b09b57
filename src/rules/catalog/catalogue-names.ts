/** What rule packs have to know of the catalogue: which names are taken, and which impacts there are. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { CatalogueNames } from '../packs/pack-set.ts';
import { CATALOG_CONTENT_ROOT } from './content-root.ts';
import { allRules } from './index-of-rules.ts';

export async function catalogueNames(): Promise<CatalogueNames> {
  const config: unknown = parseYaml(await readFile(join(CATALOG_CONTENT_ROOT, 'config.yaml'), 'utf8'));
  const { impact } = config as { readonly impact: Readonly<Record<string, number>> };
  const taken = allRules.flatMap(({ module, errorKeys }) => [...errorKeys, module.slice(module.lastIndexOf('.') + 1)]);
  return { taken, impacts: Object.keys(impact) };
}
