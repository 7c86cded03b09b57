/** Rule content from a folder as a source that services load from and load again: the catalog that comes with this program, or one's own. */
import type { RuleContentDirectory } from '../../contracts/rule-content.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { ContentFault } from './content-faults.ts';

/** The folder has the content service's layout. Rejects with `CONTENT_UNAVAILABLE`. */
export function createFolderContent(options: {
  readonly folder: string;
  /** Name of the setting, for the hint of errors. */
  readonly setting: string;
  /** What is wrong with the folder: told when it is loaded first, and when that changes. */
  readonly onFaults?: (faults: readonly ContentFault[]) => void;
}): { load(): Promise<RuleContentDirectory> } {
  let told = '[]';
  return {
    async load() {
      try {
        // Loaded where it is used: the parser of its texts is a package of many files.
        const { loadContent } = await import('./load-content.ts');
        const { directory, faults } = await loadContent(options.folder);
        const found = JSON.stringify(faults);
        if (found !== told) options.onFaults?.(faults);
        told = found;
        return directory;
      } catch (cause) {
        throw new CcxError('rule content is not available', {
          code: 'CONTENT_UNAVAILABLE',
          category: 'configuration',
          cause,
          hint: `check the folder that ${options.setting} names`,
        });
      }
    },
  };
}
