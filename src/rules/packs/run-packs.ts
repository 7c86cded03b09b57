/**
 * The rules of packs over one archive, inside a rule runner. Every rule has its own time and memory, all together have theirs, and whatever
 * one of them does costs that rule: it is listed as one that did not run. An evaluation that does not end is stopped by V8 itself, which the
 * program around it survives; what that cannot stop is killed from outside like any other rule.
 */
import { getHeapStatistics } from 'node:v8';
import { createContext, Script } from 'node:vm';
import {
  SKIP_INPUT_BROKEN,
  SKIP_INPUT_MISSING,
  SKIP_MISSING_REQUIREMENTS,
  SKIP_RULE_FAILED,
  SKIP_RULE_LEFT_OUT,
} from '../../contracts/report.ts';
import { errorText } from '../../encoding/ccx-error.ts';
import type { JsonObject, JsonValue } from '../../encoding/json-text.ts';
import type { ArchiveView } from '../engine/archive-view.ts';
import {
  compileExpression,
  type Expression,
  environmentOf,
  evaluationFailure,
  resultCharactersMax,
  toJson,
} from './compile-expression.ts';
import { compilePattern, type InputPattern, isListPattern } from './input-pattern.ts';
import type { PackInput, PackRule } from './pack.ts';
import type { PackProgramSource } from './pack-set.ts';

export const packRunLimits = {
  /** One rule over one archive, of processor time where the machine is busy with others; a usual one takes a tenth of a millisecond. */
  ruleMsMax: 200,
  /** By how much the heap may grow while a rule runs. */
  ruleBytesMax: 64 * 1024 ** 2,
};

/** A busy machine may keep a rule waiting: it is tried again while it had less than this share of its time on the processor. */
const ownTimeShareMin = 0.75;
const attemptsMax = 3;
const filesNamedMax = 5;

/** What came of one rule. */
export type PackOutcome =
  | { readonly kind: 'fires'; readonly details: JsonObject }
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'skipped';
      readonly reason:
        | typeof SKIP_MISSING_REQUIREMENTS
        | typeof SKIP_INPUT_MISSING
        | typeof SKIP_INPUT_BROKEN
        | typeof SKIP_RULE_FAILED
        | typeof SKIP_RULE_LEFT_OUT;
      /** What is missing, broken or went wrong, with the member of the rule that it went wrong in. */
      readonly details: string;
      /** It went over its time or memory: a reason to leave it out for a while. */
      readonly overLimit?: boolean;
    };

/** The files of one pattern. */
interface InputFiles {
  readonly paths: readonly string[];
  /** One file's content, or the list of all. */
  readonly value: unknown;
  readonly broken: readonly string[];
}

/** All inputs of one archive, by pattern; read before the first rule runs. */
export interface PackInputs {
  filesOf(input: PackInput): InputFiles;
}

interface PackRunContext {
  readonly inputs: PackInputs;
  readonly gatheredAt: Date;
  /** A file below this path, or it itself, is missing although the operator says that it gathered it. */
  readonly isLost: (pattern: string) => boolean;
}

export class PackProgram {
  readonly version: string;
  readonly rules: readonly PackRule[];
  readonly #patterns: ReadonlyMap<string, InputPattern | undefined>;
  readonly #compiled = new Map<string, CompiledRule>();

  constructor({ version, rules }: PackProgramSource) {
    this.version = version;
    this.rules = rules;
    const patterns = rules.flatMap(({ inputs }) => inputs.map(({ pattern }) => pattern));
    this.#patterns = new Map(
      [...new Set(patterns)].map((pattern) => [pattern, isListPattern(pattern) ? compilePattern(pattern) : undefined]),
    );
  }

  /** Parses what the rules ask for and nothing else. `tooCostly`: reading it took a runner down before. */
  read(archive: ArchiveView, tooCostly = false): PackInputs {
    const files = new Map<string, InputFiles>();
    for (const [pattern, compiled] of this.#patterns) {
      const paths =
        compiled === undefined
          ? [pattern].filter(archive.has)
          : archive.below(compiled.directory).filter(compiled.fits);
      const broken: string[] = [];
      const values: unknown[] = [];
      for (const path of paths) {
        const value = tooCostly ? undefined : archive.json(path);
        if (value === undefined) broken.push(path);
        else values.push(harmless(value, archive.bytes(path)));
      }
      files.set(pattern, { paths, broken, value: compiled === undefined ? (values[0] ?? null) : values });
    }
    return { filesOf: ({ pattern }) => files.get(pattern) ?? { paths: [], broken: [], value: null } };
  }

  /**
   * Runs the work under one watch, which costs more than most rules do; the rules that it runs have none of their own then. False when it
   * was stopped: whichever rule it was in is then to be run by itself, where it has its own time.
   */
  together(work: () => void, current: () => PackRule | undefined): boolean {
    const finished = withinTime(
      () => {
        work();
        return true;
      },
      packRunLimits.ruleMsMax,
      1,
    );
    const rule = current();
    // It was stopped in the middle: what was compiled is in no known state.
    if (finished === undefined && rule !== undefined) this.#compiled.delete(rule.module);
    return finished === true;
  }

  /** Runs one rule. Never throws. */
  run(rule: PackRule, context: PackRunContext): PackOutcome {
    const files = rule.inputs.map((input) => ({ input, ...context.inputs.filesOf(input) }));
    const broken = files.flatMap((one) => one.broken);
    if (broken.length > 0) return { kind: 'skipped', reason: SKIP_INPUT_BROKEN, details: `broken: ${named(broken)}` };
    const missing = files.filter(({ input, paths }) => paths.length === 0 && !input.optional);
    if (missing.length > 0) {
      const patterns = missing.map(({ input }) => input.pattern);
      const reason = patterns.some(context.isLost) ? SKIP_INPUT_MISSING : SKIP_MISSING_REQUIREMENTS;
      return {
        kind: 'skipped',
        reason,
        details: `All: [${patterns.map((pattern) => `'${pattern}'`).join(', ')}] Any: `,
      };
    }
    const variables: Record<string, unknown> = { gathered_at: context.gatheredAt };
    for (const { input, value } of files) variables[input.name] = value;
    return this.#evaluate(rule, variables);
  }

  #evaluate(rule: PackRule, variables: Readonly<Record<string, unknown>>): PackOutcome {
    let compiled: CompiledRule;
    try {
      compiled = this.#compiledRule(rule);
    } catch (error) {
      return { kind: 'skipped', reason: SKIP_RULE_FAILED, details: errorText(error) };
    }
    const heapBefore = getHeapStatistics().used_heap_size;
    const outcome = withinTime(() => evaluateRule(compiled, variables), packRunLimits.ruleMsMax);
    if (outcome === undefined) {
      // It was stopped in the middle: what was compiled is in no known state.
      this.#compiled.delete(rule.module);
      return overLimit(`it took more than ${packRunLimits.ruleMsMax} ms`);
    }
    if (getHeapStatistics().used_heap_size - heapBefore > packRunLimits.ruleBytesMax) {
      return overLimit(`it took more than ${packRunLimits.ruleBytesMax / 1024 ** 2} MiB`);
    }
    return outcome;
  }

  #compiledRule(rule: PackRule): CompiledRule {
    const known = this.#compiled.get(rule.module);
    if (known !== undefined) return known;
    const environment = environmentOf(rule.inputs);
    const compile = (path: string, text: string) => {
      const compiled = compileExpression(text, environment, []);
      if ('faults' in compiled) throw new Error(`${path}: ${compiled.faults[0].problem}`);
      return { path, text, run: compiled.run };
    };
    const compiled = {
      when: compile('when', rule.when),
      details: Object.entries(rule.details).map(([name, text]) => ({ name, ...compile(`details.${name}`, text) })),
    };
    this.#compiled.set(rule.module, compiled);
    return compiled;
  }
}

interface CompiledPart {
  /** The member of the rule that it stands in. */
  readonly path: string;
  readonly text: string;
  readonly run: Expression;
}

interface CompiledRule {
  readonly when: CompiledPart;
  readonly details: readonly (CompiledPart & { readonly name: string })[];
}

function evaluateRule({ when, details }: CompiledRule, variables: Readonly<Record<string, unknown>>): PackOutcome {
  let current = when;
  try {
    const fires = when.run(variables);
    if (fires === false) return { kind: 'silent' };
    if (fires !== true) throw new Error('the condition is neither true nor false');
    const found: Record<string, JsonValue> = {};
    const room = { characters: resultCharactersMax };
    for (const detail of details) {
      current = detail;
      found[detail.name] = toJson(detail.run(variables), 0, room);
    }
    return { kind: 'fires', details: found };
  } catch (error) {
    const details = `${current.path}: ${evaluationFailure(error, current.text)}`;
    return { kind: 'skipped', reason: SKIP_RULE_FAILED, details };
  }
}

function overLimit(details: string): PackOutcome {
  return { kind: 'skipped', reason: SKIP_RULE_LEFT_OUT, details: `left out: ${details}`, overLimit: true };
}

function named(paths: readonly string[]): string {
  const more = paths.length - filesNamedMax;
  const list = `[${paths
    .slice(0, filesNamedMax)
    .map((path) => `'${path}'`)
    .join(', ')}]`;
  return more > 0 ? `${list} and ${more} more` : list;
}

/** A value with a member called `constructor` would be of no kind to the library, which asks values for theirs: such become Maps. */
function harmless(value: JsonValue, bytes: Buffer | undefined): unknown {
  return bytes?.includes('"constructor"') === true ? withMaps(value) : value;
}

function withMaps(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(withMaps);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]): [string, unknown] => [
    name,
    withMaps(member as JsonValue),
  ]);
  return Object.hasOwn(value, 'constructor') ? new Map(members) : Object.fromEntries(members);
}

/** Only what runs inside of a script of its own can be stopped; the work itself is a function of ours. */
const stoppable = createContext({ work: undefined } as Record<string, unknown>, {
  codeGeneration: { strings: false, wasm: false },
});
const callWork = new Script('work()');

/** Undefined when the work was stopped since its time was up. */
function withinTime<T>(work: () => T, ms: number, attempts = attemptsMax): T | undefined {
  if (stoppable['work'] !== undefined) return work();
  for (let attempt = 1; ; attempt += 1) {
    const before = process.cpuUsage();
    stoppable['work'] = work;
    try {
      return callWork.runInContext(stoppable, { timeout: ms }) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      const { user, system } = process.cpuUsage(before);
      if ((user + system) / 1_000 >= ms * ownTimeShareMin || attempt === attempts) return undefined;
    } finally {
      stoppable['work'] = undefined;
    }
  }
}
