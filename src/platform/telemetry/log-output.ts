/**
 * Where the lines of a log go: standard output or standard error, which somebody may stop reading. Lines then wait in memory, up to a bound,
 * so that no work waits for them; past it they are lost, and counted. A process that ends does not wait for a reader either.
 */
import pino, { type DestinationStream } from 'pino';
import { afterUnheld } from '../clock/unheld-timer.ts';

/** Of lines that wait: those of some thousand uploads. */
const waitingBytesMax = 4 * 1024 ** 2;
/** Between two looks whether somebody reads again. */
const retryMs = 100;
/** A process that ends tries so often, each 100 ms, to hand over the lines that are left. */
const lastTriesMax = 20;

export interface LogOutput extends DestinationStream {
  /** Called when everything that waited has been read, with how many lines were lost meanwhile. */
  onLost(tell: (lines: number) => void): void;
}

/** `stream`: `process.stdout` or `process.stderr`; asking it for its descriptor makes a pipe one that does not block. */
export function openLogOutput(stream: NodeJS.WriteStream & { readonly fd: number }): LogOutput {
  // Somebody in this process reads it in the place of the descriptor.
  if (stream.write !== (Object.getPrototypeOf(stream) as NodeJS.WriteStream).write)
    return { write: (line) => void stream.write(line), onLost: () => undefined };
  let lost = 0;
  let lastTries = 0;
  const output = pino.destination({
    dest: stream.fd,
    sync: false,
    maxLength: waitingBytesMax,
    // Its own timer would keep a process alive whose log nobody reads.
    retryEAGAIN() {
      lastTries -= 1;
      return lastTries > 0;
    },
  });
  const flushSync = output.flushSync.bind(output);
  // At the exit of the process.
  output.flushSync = () => {
    lastTries = lastTriesMax;
    try {
      flushSync();
    } catch {
      // Nobody reads them.
    }
  };
  output.removeAllListeners('error');
  output.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'EAGAIN' || code === 'EBUSY') {
      // It goes on with what waits.
      afterUnheld(retryMs, () => output.write(''));
      return;
    }
    // The reader has gone.
    const nothing = () => true;
    Object.assign(output, { write: nothing, end: nothing, flushSync: nothing });
  });
  output.on('drop', () => {
    lost += 1;
  });
  return Object.assign(output, {
    onLost(tell: (lines: number) => void) {
      output.on('drain', () => {
        const lines = lost;
        lost = 0;
        if (lines > 0) tell(lines);
      });
    },
  });
}
