/**
 * Whether the files are an Insights Operator's, and below which directory they lie. Source: data-pipeline.md 4.1.
 */
import { CcxError, inputError } from '../../encoding/ccx-error.ts';
import type { ArchiveFiles } from './archive.ts';

/** The text is the reference's (data-pipeline.md 4.1). */
const notInsights = 'Cannot detect execution context';

/** Any one of these makes an archive an operator's. */
const insightsMarkers = [
  'config/version.json',
  'config/id',
  'config/featuregate.json',
  'insights-operator/gathers.json',
] as const;

/** A file at the top level that ends so makes it an "archive of archives", in which no rule can run. */
const archiveEndings = ['zip', 'tar', 'gz', 'bz2', 'xz'] as const;

/**
 * What a desktop adds when somebody unpacks an archive and packs it again: macOS a file of attributes beside each file and directory, both
 * kinds what their file managers remember. No name of a Kubernetes object is like these.
 */
const desktopFile =
  /(?:^|\/)(?:\._[^/]*|\.DS_Store|\.localized|Icon\r|Thumbs\.db|desktop\.ini)$|^(?:__MACOSX|\.Spotlight-V100|\.Trashes|\.fseventsd)\//;

/** The operator's files by their paths from its root, without those that a desktop put beside them. */
export function insightsFiles(members: ArchiveFiles): ArchiveFiles {
  const files = withoutDesktopFiles(members);
  if (files.size === 0) throw inputError('ARCHIVE_NOT_INSIGHTS', `${notInsights}: no files in the archive`);
  for (const path of files.keys()) {
    if (!path.includes('/') && archiveEndings.some((ending) => path.endsWith(ending))) {
      throw new CcxError(`an archive of archives: ${JSON.stringify(path)} lies at its top level`, {
        code: 'ARCHIVE_NESTED',
        category: 'input',
        hint: 'upload the inner archives one by one',
      });
    }
  }
  if (insightsMarkers.some((marker) => files.has(marker))) return files;

  const directory = commonDirectory(files);
  if (directory === undefined || !insightsMarkers.some((marker) => files.has(`${directory}/${marker}`))) {
    throw inputError('ARCHIVE_NOT_INSIGHTS', notInsights);
  }
  return new Map([...files].map(([path, bytes]) => [path.slice(directory.length + 1), bytes]));
}

function withoutDesktopFiles(members: ArchiveFiles): ArchiveFiles {
  for (const path of members.keys())
    if (desktopFile.test(path)) return new Map([...members].filter(([one]) => !desktopFile.test(one)));
  return members;
}

/** The first part of every path, if all share it and no file lies beside it. */
function commonDirectory(files: ArchiveFiles): string | undefined {
  let common: string | undefined;
  for (const path of files.keys()) {
    const slash = path.indexOf('/');
    if (slash === -1) return undefined;
    const first = path.slice(0, slash);
    if (common !== undefined && common !== first) return undefined;
    common = first;
  }
  return common;
}
