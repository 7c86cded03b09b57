/** `ccx rules`: the rules that there are, what they say of an archive, and the tools with which rules of one's own are written. */
import { type Command, CommanderError } from 'commander';
import { CcxError } from '../../encoding/ccx-error.ts';
import { parseRfc3339 } from '../../encoding/rfc3339.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { describeFailure } from '../../platform/lifecycle/run-role.ts';
import { createArchiveView } from '../../rules/engine/archive-view.ts';
import { faultText } from '../../rules/packs/pack.ts';
import { checkArchive, readArchiveFile } from './check-archive.ts';
import { registerCoverage } from './coverage.ts';
import { configFlag, type InstalledRules, installedRules, packFlag, type RulesFlags } from './installed-rules.ts';
import { listPackRules, listRules } from './list-rules.ts';
import { newRule } from './new-rule.ts';
import { checkedLines, explainedLines, listedLines, ruleLines, testedLines } from './print-rules.ts';

interface TimeFlags extends RulesFlags {
  readonly at?: string;
}

const timeFlag = [
  '--at <time>',
  'when the archive was gathered, RFC 3339; rules compare dates with it (default: now)',
] as const;

export function register(program: Command, input: ProcessInput): void {
  const group = program
    .command('rules')
    .description(
      'the rules: list, show, check an archive, coverage over the stored reports; new, test, explain: your own',
    )
    .addHelpText('afterAll', failuresHelp);
  registerLooks(group, input);
  registerPackTools(group, input);
  registerCoverage(group, input);
  // After its commands, which would inherit it: whoever misspells one of them may have meant one whose 1 is an answer.
  failingWith2(group);
}

function registerLooks(group: Command, { env }: ProcessInput): void {
  group
    .command('list')
    .description('every rule, in the order of reports: key, risk, source, whether it runs and why')
    .option(...configFlag)
    .option(...packFlag)
    .option('--json', 'one JSON object per line')
    .action(async (flags: RulesFlags) => {
      const { rules, content, selection, origins, packs } = await installedRules(flags, env);
      const listed = [...listRules(rules, content, selection, origins), ...listPackRules(packs.packs, content)];
      for (const rule of listed) print(flags.json === true ? [JSON.stringify(rule)] : listedLines(rule));
    });
  group
    .command('show')
    .description('one rule: its texts, its risk, and of a rule of a pack its inputs and conditions')
    .argument('<key>', 'error key, or name of a rule without one')
    .option(...configFlag)
    .option(...packFlag)
    .option('--json', 'one JSON object')
    .action(async (key: string, flags: RulesFlags) => {
      const shown = ruleShown(await installedRules(flags, env), key);
      print(flags.json === true ? [JSON.stringify(shown)] : ruleLines(shown));
    });
  const check = group
    .command('check')
    .description('what all rules say of an archive: what fires, what did not run and why, what each took')
    .argument('<archive>', 'tar.gz of an Insights Operator')
    .option(...configFlag)
    .option(...packFlag)
    .option(...timeFlag)
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      '\nExit code: 0 when nothing fires, 1 when something does, 2 for wrong use and when it cannot be told.',
    );
  failingWith2(check).action(async (archive: string, flags: TimeFlags) => {
    await endingWith2(async () => {
      const clock = createSystemClock();
      const gatheredAt = timeOf(flags) ?? clock.now();
      const checked = await checkArchive(archive, await installedRules(flags, env), { clock, gatheredAt });
      print(flags.json === true ? [JSON.stringify(checked)] : checkedLines(checked));
      if (checked.fires.length > 0) process.exitCode = 1;
    });
  });
}

function registerPackTools(group: Command, { env }: ProcessInput): void {
  group
    .command('new')
    .description('writes a rule that passes its samples, to be changed; and pack.yaml, where there is none')
    .argument('<folder>', 'of the pack')
    .argument('<key>', 'error key of the new rule, such as BACKUP_TOO_OLD')
    .action(async (folder: string, key: string) => {
      const written = await newRule(folder, key);
      print([...written.map((path) => `written: ${path}`), `try it: ccx rules test ${folder}`]);
    });
  const test = group
    .command('test')
    .description('tells every fault of a pack, or tries every sample')
    .argument('<folder>', 'of the pack')
    .option(...timeFlag)
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      '\nExit code: 0 when the pack has no fault and every sample does what it says, 1 when not, 2 for wrong use and when it cannot be told.',
    );
  failingWith2(test).action(async (folder: string, flags: TimeFlags) => {
    await endingWith2(async () => {
      const { testPack } = await import('./test-pack.ts');
      const clock = createSystemClock();
      const tested = await testPack(folder, { clock, gatheredAt: timeOf(flags) ?? new Date(sampleTime) });
      print(flags.json === true ? [JSON.stringify(tested)] : testedLines(tested, faultText));
      if (!tested.ok) process.exitCode = 1;
    });
  });
  group
    .command('explain')
    .description(
      'why a rule of a pack fires over an archive or does not: each input, each part of the condition with its value',
    )
    .argument('<key>', 'error key of the rule')
    .argument('<archive>', 'tar.gz of an Insights Operator')
    .option(...configFlag)
    .option(...packFlag)
    .option(...timeFlag)
    .option('--json', 'one JSON object')
    .action(async (key: string, archive: string, flags: TimeFlags) => {
      const { packs } = await installedRules(flags, env);
      const rule = packs.source.rules.find((one) => one.key === key);
      if (rule === undefined)
        throw keyUnknown(
          key,
          'name the folder of its pack with --pack; rules of the catalogue have no conditions to explain, see ccx rules check',
        );
      const files = await readArchiveFile(archive);
      const { explainRule } = await import('../../rules/packs/explain-rule.ts');
      const explained = explainRule(rule, createArchiveView(files), timeOf(flags) ?? createSystemClock().now());
      print(flags.json === true ? [JSON.stringify({ key, ...explained })] : explainedLines(key, explained));
    });
}

/** Samples have dates in them, and do the same on every day. */
const sampleTime = '2026-01-02T00:00:00Z';

function timeOf({ at }: TimeFlags): Date | undefined {
  if (at === undefined) return undefined;
  const moment = parseRfc3339(at);
  if (moment !== undefined) return new Date(Number(moment.micros / 1_000n));
  const options = { code: 'TIME_INVALID', category: 'input' } as const;
  throw new CcxError(`--at is no time: ${at}`, { ...options, hint: 'write it as 2026-01-31T12:00:00Z' });
}

function ruleShown({ rules, content, packs }: InstalledRules, key: string) {
  const ofPack = packs.packs
    .flatMap((pack) => pack.rules.map((loaded) => ({ pack, loaded })))
    .find(({ loaded }) => loaded.rule.key === key);
  const builtIn = rules.find(({ module, errorKeys }) => errorKeys.includes(key) || module.endsWith(`.${key}`));
  const module = ofPack?.loaded.rule.module ?? builtIn?.module;
  if (module === undefined) throw keyUnknown(key, 'ccx rules list shows every key');
  const name = module.slice(module.lastIndexOf('.') + 1);
  const texts = Object.hasOwn(content.rules, name) ? content.rules[name]!.error_keys[key] : undefined;
  const definition = ofPack === undefined ? {} : { file: ofPack.loaded.place.file, ...ofPack.loaded.rule };
  return { key, module, source: ofPack?.pack.name ?? 'catalogue', ...definition, content: texts ?? null };
}

function keyUnknown(key: string, hint: string): CcxError {
  return new CcxError(`there is no rule ${key}`, { code: 'RULE_UNKNOWN', category: 'input', hint });
}

/** The same for people and for scripts, who have nothing to parse on standard output then. */
const failuresHelp =
  '\nWhat keeps a command from its work is told on standard error, as "ccx: … [CODE]", also with --json: then nothing is\non standard output.';

/** For commands whose 1 is an answer: a wrong option must not pass for it. */
function failingWith2(command: Command): Command {
  return command.exitOverride(({ exitCode, code, message }) => {
    throw new CommanderError(exitCode === 0 ? 0 : 2, code, message);
  });
}

/** As `failingWith2`, for whatever fails later: foreseen, not foreseen, or in writing the answer to a full disk. */
async function endingWith2(work: () => Promise<void>): Promise<void> {
  const fail = (error: unknown) => {
    process.stderr.write(`${describeFailure(error)}\n`);
    process.exitCode = 2;
  };
  process.once('uncaughtException', fail);
  await work().catch(fail);
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
