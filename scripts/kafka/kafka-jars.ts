/**
 * The published jars of Apache Kafka, fetched once with Maven into a cache folder outside the repository. Called by start-kafka.ts and by
 * test/support, which skips where Java or Maven is missing. CCX_KAFKA_JARS names a folder with the jars of another version instead.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcessInput } from '../../src/platform/config/process-input.ts';

const pom = join(dirname(fileURLToPath(import.meta.url)), 'pom.xml');

/** What is missing to run a broker here, one short phrase each; empty when nothing is. */
export function missingForKafka(): string[] {
  const missing: string[] = [];
  if (!runs('java', ['-version'])) missing.push('Java 17 (java)');
  if (!existsSync(cacheFolder()) && !runs('mvn', ['--version'])) missing.push('Maven (mvn)');
  return missing;
}

/** A class path pattern for `java -cp`. The first call takes some seconds and needs Maven's repository. */
export function kafkaClassPath(): string {
  const folder = cacheFolder();
  if (!existsSync(folder)) {
    const building = `${folder}.${process.pid}`;
    mkdirSync(building, { recursive: true });
    cpSync(pom, join(building, 'pom.xml'));
    try {
      execFileSync(
        'mvn',
        [
          '--batch-mode',
          '--quiet',
          '--file',
          join(building, 'pom.xml'),
          'dependency:copy-dependencies',
          '-DincludeScope=runtime',
          `-DoutputDirectory=${building}`,
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
      renameSync(building, folder);
    } catch (error) {
      rmSync(building, { recursive: true, force: true });
      if (!existsSync(folder)) throw error;
    }
  }
  return join(folder, '*');
}

/** Where the classes of these jars are kept in one file, beside their folder; undefined for jars that are not ours. */
export function keptArchiveFile(): string | undefined {
  const given = readProcessInput().env['CCX_KAFKA_JARS'] ?? '';
  return given === '' ? `${cacheFolder()}.jsa` : undefined;
}

/** One folder per content of the pom, so that a new version never meets old jars. */
function cacheFolder(): string {
  const { env } = readProcessInput();
  const given = env['CCX_KAFKA_JARS'];
  if (given !== undefined && given !== '') return given;
  const digest = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ccx-notifications', `kafka-jars-${digest}`);
}

function runs(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, [...args], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
