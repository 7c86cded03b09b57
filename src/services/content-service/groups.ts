/** The groups of rules that user interfaces offer, from a YAML file. Source: data-pipeline.md 8.4. */
import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { CcxError } from '../../encoding/ccx-error.ts';

const fileSchema = z.record(
  z.string(),
  z.object({ name: z.string(), description: z.string(), tags: z.array(z.string()) }),
);

export interface RuleGroup {
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
}

/** Rejects with code `GROUPS_UNREADABLE`. */
export async function loadGroups(path: string): Promise<readonly RuleGroup[]> {
  try {
    const file = fileSchema.parse(parseYaml(await readFile(path, 'utf8')));
    return Object.values(file).map(({ name, description, tags }) => ({ title: name, description, tags }));
  } catch (cause) {
    throw new CcxError(`groups of rules cannot be read: ${path}`, {
      code: 'GROUPS_UNREADABLE',
      category: 'configuration',
      cause,
      hint: 'change groups.path, or leave it out for the usual groups',
    });
  }
}
