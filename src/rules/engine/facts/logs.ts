/**
 * Log files: where an archive has those of a pod, and the lines of one that hold a text. Logs are the largest files of an archive and are
 * never decoded as a whole: bytes are searched, and only the lines that are found become text.
 */
import type { ArchiveView } from '../archive-view.ts';

/** Of a larger file only the end is searched; the operator itself gathers at most a few hundred KiB of each log. */
export const logBytesMax = 4 * 1024 * 1024;
/** Characters kept of a line; a Go program's error seldom has a tenth of it. */
export const lineCharactersMax = 2_000;

const newline = 0x0a;

/**
 * Paths of the current logs of a namespace's pods whose name starts like this, wherever archives have them: logs of unhealthy pods, those
 * gathered while an alert fires, and those of the remote configuration. Logs of containers that have ended are left out: what they
 * complain of may be over. Source: data-pipeline.md 7.4.
 */
export function podLogs(archive: ArchiveView, namespace: string, podPrefix: string): readonly string[] {
  return [
    `config/pod/${namespace}/logs`,
    `conditional/namespaces/${namespace}/pods`,
    `namespaces/${namespace}/pods`,
  ].flatMap((directory) =>
    archive
      .below(directory)
      .filter(
        (path) =>
          path.startsWith(podPrefix, directory.length + 1) &&
          path.endsWith('.log') &&
          !path.endsWith('/previous.log') &&
          !path.endsWith('_previous.log') &&
          !path.includes('/logs-previous/'),
      ),
  );
}

/** Whether the log holds the text. */
export function logHolds(archive: ArchiveView, path: string, text: string): boolean {
  return archive.bytes(path)?.subarray(-logBytesMax).includes(text) ?? false;
}

/** The lines that hold the text, the last one first, at most `linesMax`. */
export function lastLinesWith(archive: ArchiveView, path: string, text: string, linesMax: number): readonly string[] {
  const bytes = archive.bytes(path)?.subarray(-logBytesMax);
  const lines: string[] = [];
  let end = bytes?.length ?? 0;
  while (bytes !== undefined && lines.length < linesMax) {
    // The text lies before `end`, which is a line's: what is found never reaches into a line that was looked at.
    const at = bytes.subarray(0, end).lastIndexOf(text);
    if (at === -1) break;
    const start = bytes.lastIndexOf(newline, at) + 1;
    const next = bytes.indexOf(newline, at);
    lines.push(
      bytes
        .subarray(start, next === -1 ? end : Math.min(next, end))
        .toString('utf8', 0, lineCharactersMax * 4)
        .slice(0, lineCharactersMax)
        .trim(),
    );
    end = Math.max(start - 1, 0);
  }
  return lines;
}
