/**
 * `npm run nightly`: what takes too long for every change, one part after the other, and what came out of it. The last result of each part is
 * kept in `bench/last-nightly.json`, from which docs/nightly.md is made (`npm run generate`). Ends with 1 when a part failed.
 *
 *   npm run nightly                        all of it, about an hour
 *   npm run nightly -- --only=all-at-once  one part
 *   npm run nightly -- --list              what there is
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, machineLine } from '../bench/support/machine.ts';
import { createSystemClock } from '../src/platform/clock/clock.ts';
import { readProcessInput } from '../src/platform/config/process-input.ts';
import { type NightlyResult, writeNightlyResult } from './docs/nightly-page.ts';
import { type NightlyPart, nightlyParts } from './nightly-parts.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const clock = createSystemClock();
const { env, args } = readProcessInput();
process.exitCode = await nightly();

async function nightly(): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' }, list: { type: 'boolean' } } });
  if (values.list === true) {
    for (const { name, what } of nightlyParts) console.log(`${name.padEnd(16)} ${what}`);
    return 0;
  }
  const wanted = nightlyParts.filter(({ name }) => values.only === undefined || name === values.only);
  if (wanted.length === 0) {
    console.error(`no part ${values.only}; there are ${nightlyParts.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const results: NightlyResult[] = [];
  for (const part of wanted) {
    console.log(`\n== ${part.name}: ${part.what}`);
    const result = await runPart(part);
    writeNightlyResult(result);
    results.push(result);
  }
  for (const { name, outcome, seconds } of results) console.log(`${name.padEnd(16)} ${outcome}, ${seconds} s`);
  return results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

async function runPart({ name, what, command, environment = {} }: NightlyPart): Promise<NightlyResult> {
  const machine = machineLine(await describeMachine(clock));
  const startedAt = clock.now();
  const startedMs = clock.monotonicMs();
  const child = spawn(process.execPath, command, {
    cwd: root,
    env: { ...env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    output += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const missing = [...output.matchAll(/^left out: .*?: (.+)$/gm)].map(([, why = '']) => why);
  return {
    ...{ name, what, machine },
    date: startedAt.toISOString().slice(0, 10),
    outcome: code !== 0 ? 'failed' : missing.length > 0 ? 'left out' : 'passed',
    seconds: Math.round((clock.monotonicMs() - startedMs) / 1000),
    said: missing.length > 0 ? missing : told(output),
  };
}

/** Of tests their titles and what they report beside; of a series its table. Not the counts that node prints behind every run. */
function told(output: string): string[] {
  const isCount = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /;
  return output
    .split('\n')
    .filter((line) => /^[✔✖▶ℹ] /.test(line) || /^[a-zA-Z][\w ]+ {2,}\S/.test(line))
    .filter((line) => !isCount.test(line))
    .map((line) =>
      line.replace(/ {2,}/g, ': ').replace(/\((\d+)\.\d+ms\)/, (_, ms) => `(${Math.round(Number(ms) / 1000)} s)`),
    );
}
