/** The least that has to be done with an archive: bare gunzip and the tar parser of a library, without any limit. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';

export const gunzipAtOnce = promisify(gunzip);

/** The contents of every file. */
export async function unpackBare(archive: Buffer): Promise<Buffer[]> {
  const tar = await gunzipAtOnce(archive);
  const files: Buffer[] = [];
  const parser = new Parser({
    onReadEntry(entry: ReadEntry) {
      const chunks: Buffer[] = [];
      entry.on('data', (chunk: Buffer) => void chunks.push(chunk));
      entry.on('end', () => void files.push(Buffer.concat(chunks)));
    },
  });
  const ended = new Promise<void>((resolve, reject) => {
    parser.on('end', resolve);
    parser.on('error', reject);
  });
  parser.end(tar);
  await ended;
  return files;
}
