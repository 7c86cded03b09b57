/** The groups of rules that user interfaces offer, from a YAML file. Read by the content service and the read API. Source: data-pipeline.md 8.4. */
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

export interface RuleGroup {
  readonly title: string;
  readonly description: string;
  /** A rule with one of these tags belongs to the group. */
  readonly tags: readonly string[];
}

const fileSchema = z.record(
  z.string(),
  z.object({ name: z.string(), description: z.string(), tags: z.array(z.string()) }),
);

/** In the order of the file. Throws what the parser throws for a text that is no such file. */
export function parseGroups(text: string): readonly RuleGroup[] {
  const groups = Object.values(fileSchema.parse(parseYaml(text)));
  return groups.map(({ name, description, tags }) => ({ title: name, description, tags }));
}
