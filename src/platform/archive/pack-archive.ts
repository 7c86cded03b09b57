/**
 * Files → an archive as the Insights Operator packs it: gzip without a name or time, regular files only, mode 0640, owner 0, newest first,
 * no leading `./`. Used by the cluster simulator and by tests. Source: ingress.md B.4.
 */
import { constants, gzipSync } from 'node:zlib';
import { Header, Pax } from 'tar';

export interface FileToPack {
  readonly path: string;
  readonly body: Buffer | string;
  /** When it was captured; whole seconds count. Absent: the epoch, so that equal files make equal archives. */
  readonly mtime?: Date;
}

const blockBytes = 512;
const endMark = Buffer.alloc(2 * blockBytes);

export function packArchive(files: Iterable<FileToPack>): Buffer {
  return gzipSync(packTar(files), { level: constants.Z_DEFAULT_COMPRESSION });
}

/** The same without compression; the pipeline takes plain tar files, too. */
export function packTar(files: Iterable<FileToPack>): Buffer {
  const newestFirst = [...files].sort((a, b) => (b.mtime?.getTime() ?? 0) - (a.mtime?.getTime() ?? 0));
  const blocks: Buffer[] = [];
  for (const file of newestFirst) {
    const body = typeof file.body === 'string' ? Buffer.from(file.body, 'utf8') : file.body;
    blocks.push(
      ...headerBlocks(file, body.length),
      body,
      Buffer.alloc((blockBytes - (body.length % blockBytes)) % blockBytes),
    );
  }
  return Buffer.concat([...blocks, endMark]);
}

/** One ustar header; before it a pax header where the path does not fit or is not ASCII. */
function headerBlocks(file: FileToPack, size: number): Buffer[] {
  const mtime = new Date(Math.floor((file.mtime?.getTime() ?? 0) / 1000) * 1000);
  const header = new Header({ path: file.path, mode: 0o640, uid: 0, gid: 0, size, mtime, type: 'File' });
  const block = Buffer.alloc(blockBytes);
  const needsPax = header.encode(block);
  return needsPax ? [new Pax({ path: file.path }).encode(), block] : [block];
}
