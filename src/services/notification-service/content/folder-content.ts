/** Rule content from a folder in the content service's layout, such as the catalog that comes with this program. */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { loadContent } from '../../../rules/content/load-content.ts';
import type { ContentSource } from '../ports.ts';

export function createFolderContent(options: {
  readonly folder: string;
  /** Name of the setting, for the hint of errors. */
  readonly setting: string;
}): ContentSource {
  return {
    async load() {
      try {
        return (await loadContent(options.folder)).directory;
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
