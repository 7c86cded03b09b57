/**
 * What a child is in, as a line in a file without a name: the child writes it over before each step, the parent looks at it only when it
 * wants to know, at a watch or after the end. A pipe would wake the parent for every step of every job. The write is done before the step
 * begins and stays when the process ends, whatever ends it.
 */
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';

/** A label is a rule's module or the name of a step; longer text is cut. */
const labelBytesMax = 512;
/** With both numbers, twice the second one. */
const lineBytesMax = labelBytesMax + 64;
/** The descriptor in the child: stdin, stdout, stderr and the message channel come before it. */
const LABEL_FD = 4;
/** In memory where there is such a folder, which containers have that can write nowhere else. */
const folders = ['/dev/shm', tmpdir()];

export interface JobLabel {
  /** Of the job. */
  readonly id: number;
  /** Counts the steps of the child. */
  readonly step: number;
  readonly text: string;
}

export interface LabelFile {
  readonly descriptor: number;
  /** The last one; undefined before the first, and in the moment of a write. */
  read(): JobLabel | undefined;
  close(): void;
}

/** Throws the system's error of the last folder when it can be made in none. */
export function openLabelFile(): LabelFile {
  const descriptor = openNameless();
  const line = Buffer.alloc(lineBytesMax);
  return {
    descriptor,
    read() {
      const text = line.toString('utf8', 0, readSync(descriptor, line, 0, lineBytesMax, 0));
      // The number of the step stands at both ends: a line that is being written does not fit together.
      const match = /^(\d+) (\d+) (.*) \1\n/.exec(text);
      return match === null ? undefined : { step: Number(match[1]), id: Number(match[2]), text: match[3]! };
    },
    close: () => closeSync(descriptor),
  };
}

let files = 0;

function openNameless(): number {
  let failure: unknown;
  for (const folder of folders) {
    files += 1;
    const path = join(folder, `ccx-runner-${process.pid}-${files}`);
    try {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      unlinkSync(path);
      return descriptor;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

let steps = 0;

/** In the child. Answers with the label as it was written, on one line and cut. */
export function writeLabel(id: number, text: string): string {
  const label = cutUtf8(text.replaceAll(/[\r\n]/g, ' '), labelBytesMax);
  steps += 1;
  writeSync(LABEL_FD, `${steps} ${id} ${label} ${steps}\n`, 0, 'utf8');
  return label;
}
