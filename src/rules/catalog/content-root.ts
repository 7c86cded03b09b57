/** Where the rules' texts lie, for those who need the texts and not the rules. */
import { fileURLToPath } from 'node:url';

/** Root of the rules' texts, for `loadContent`: the folder of this file. */
export const CATALOG_CONTENT_ROOT: string = fileURLToPath(new URL('.', import.meta.url));

/** The groups that user interfaces show rules in: the usual five. */
export const RULE_GROUPS_FILE = fileURLToPath(new URL('../content/groups.yaml', import.meta.url));
