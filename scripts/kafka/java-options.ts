/**
 * What the Java of a broker is started with, so that tests, which start and restart dozens of them, wait less: most of a start is loading and
 * compiling classes. With these it takes 1.7 s of processor time instead of 4.4 s, and half of the memory is not touched.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { keptArchiveFile } from './kafka-jars.ts';

/** Compiles a method once and quickly, not again and well. A benchmark wants it well. */
const quickCompiler = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/**
 * Classes come as one file that Java maps (class data sharing), which the first start on this machine makes with a broker that is thrown away:
 * `startAndEnd` starts one with these options and ends it in good order. Where the file does not suit, by another version of Java for
 * instance, Java reads the jars.
 */
export async function javaOptions(
  wellCompiled: boolean,
  startAndEnd: (options: readonly string[]) => Promise<void>,
): Promise<readonly string[]> {
  const compiler = wellCompiled ? [] : quickCompiler;
  const file = keptArchiveFile();
  if (file === undefined) return compiler;
  if (!existsSync(file)) {
    // Several may be at it at once: each makes its own, and any of them will do.
    const making = `${file}.${process.pid}`;
    try {
      await startAndEnd([...quickCompiler, `-XX:ArchiveClassesAtExit=${making}`]);
      renameSync(making, file);
    } finally {
      rmSync(making, { force: true });
    }
  }
  return [...compiler, `-XX:SharedArchiveFile=${file}`];
}
