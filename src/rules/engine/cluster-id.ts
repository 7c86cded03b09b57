/** The cluster's id, from `config/id`. Called by the data pipeline before any rule runs: without it there is nobody to tell. */
import { isUuid } from '../../contracts/identifiers.ts';

/** `config/id` holds a hyphenated UUID; whatever follows is ignored. Source: data-pipeline.md 6.3. */
const clusterIdCharacters = 36;

/** The first 36 characters of `config/id` as they are, or undefined when they are no UUID. Source: data-pipeline.md 6.3. */
export function readClusterId(files: ReadonlyMap<string, Buffer>): string | undefined {
  const text = files.get('config/id')?.subarray(0, clusterIdCharacters).toString('latin1');
  return text !== undefined && isUuid(text) ? text : undefined;
}
