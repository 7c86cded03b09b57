/** The cluster's id, from `config/id`. Called by the data pipeline before any rule runs: without it there is nobody to tell. */
import { isUuid } from '../../contracts/identifiers.ts';
import { clusterIdCharacters } from './limits.ts';

/** The first 36 characters of `config/id` as they are, or undefined when they are no UUID. Source: data-pipeline.md 6.3. */
export function readClusterId(files: ReadonlyMap<string, Buffer>): string | undefined {
  const text = files.get('config/id')?.subarray(0, clusterIdCharacters).toString('latin1');
  return text !== undefined && isUuid(text) ? text : undefined;
}
