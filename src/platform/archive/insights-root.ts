/**
 * Whether the files are an Insights Operator's, and below which directory they lie. Source: data-pipeline.md 4.1.
 */
import type { ArchiveFiles } from './archive.ts';
import { archiveNested, archiveNotInsights } from './archive-errors.ts';

/** Any one of these makes an archive an operator's. */
const insightsMarkers = [
  'config/version.json',
  'config/id',
  'config/featuregate.json',
  'insights-operator/gathers.json',
] as const;

/** A file at the top level that ends so makes it an "archive of archives", in which no rule can run. */
const archiveEndings = ['zip', 'tar', 'gz', 'bz2', 'xz'] as const;

interface InsightsRoot {
  readonly files: ArchiveFiles;
  readonly strippedDirectory: string | undefined;
  /** Files that a desktop put beside the operator's, left out here. */
  readonly desktopFiles: number;
}

/**
 * What a desktop adds when somebody unpacks an archive and packs it again: macOS a file of attributes beside each file and directory, both
 * kinds what their file managers remember. No name of a Kubernetes object is like these.
 */
const desktopFile =
  /(?:^|\/)(?:\._[^/]*|\.DS_Store|\.localized|Icon\r|Thumbs\.db|desktop\.ini)$|^(?:__MACOSX|\.Spotlight-V100|\.Trashes|\.fseventsd)\//;

export function findInsightsRoot(members: ArchiveFiles): InsightsRoot {
  const files = new Map([...members].filter(([path]) => !desktopFile.test(path)));
  return { ...rootOf(files), desktopFiles: members.size - files.size };
}

function rootOf(files: ArchiveFiles): Omit<InsightsRoot, 'desktopFiles'> {
  if (files.size === 0) throw archiveNotInsights('no files in the archive');
  for (const path of files.keys()) {
    if (!path.includes('/') && archiveEndings.some((ending) => path.endsWith(ending))) throw archiveNested(path);
  }
  if (insightsMarkers.some((marker) => files.has(marker))) return { files, strippedDirectory: undefined };

  const directory = commonDirectory(files);
  if (directory === undefined || !insightsMarkers.some((marker) => files.has(`${directory}/${marker}`))) {
    throw archiveNotInsights();
  }
  const stripped = new Map<string, Buffer>();
  for (const [path, bytes] of files) stripped.set(path.slice(directory.length + 1), bytes);
  return { files: stripped, strippedDirectory: directory };
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
