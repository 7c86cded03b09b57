/**
 * What a rule pack is once it is read: rules as data, in two halves. `PackRule` is what the rule runners need and travels to them;
 * `PackRuleTexts` is what people read and becomes rule content. Faults say where and what to write instead.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { JsonValue } from '../../encoding/json-text.ts';

/** Stands for the reading of all inputs of packs, beside the facts of our own rules. */
export const PACK_INPUTS_FACT = 'pack inputs';

export const packLimits = {
  /** Ten times the longest of our own rules, with texts and samples. */
  fileBytesMax: 256 * 1024,
  /** Of all files of a pack: they are in memory at once, with what they are parsed into. As much as 32 of the largest. */
  packBytesMax: 8 * 1024 ** 2,
  /** Each costs its compilation in every runner; the catalogue has a tenth of that. */
  rulesMax: 500,
  /** Of one file, those within what an alias stands for counted again. */
  aliasesMax: 100,
  /** Brackets and members within each other; a resource in a sample has a dozen levels. */
  nestingMax: 64,
  /** Of a condition, a detail or a text, in characters; the longest of ours has some hundred. */
  expressionCharactersMax: 8_000,
};

/** One input of a rule: a name in its conditions, and the files of the archive that it stands for. */
export interface PackInput {
  readonly name: string;
  /** A path of the archive whose segments may hold `*`; ends in `.json`. */
  readonly pattern: string;
  /** The rule also runs where no file fits. */
  readonly optional: boolean;
}

/** What a runner evaluates. */
export interface PackRule {
  /** `ccx_packs.<pack>.<key>` */
  readonly module: string;
  readonly key: string;
  readonly inputs: readonly PackInput[];
  /** CEL; fires where it is true. */
  readonly when: string;
  /** CEL by name; what texts know as `pydata`. */
  readonly details: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

/** What people read; templates are already in the language that rule content has. */
export interface PackRuleTexts {
  readonly title: string;
  readonly summary: string;
  readonly generic: string;
  readonly reason: string;
  readonly resolution: string;
  readonly more_info: string;
  /** A name of the content's `config.yaml`. */
  readonly impact: string;
  readonly likelihood: number;
  readonly publishDate: string;
}

/** Path → content of the archive's file; what does not end in `.json` is text. */
type PackSampleFiles = Readonly<Record<string, JsonValue>>;

export interface PackSample {
  /** `fires`, `silent`, or with a number where there are several. */
  readonly title: string;
  readonly fires: boolean;
  readonly files: PackSampleFiles;
  readonly place: PackPlace;
}

export interface LoadedPackRule {
  readonly rule: PackRule;
  readonly texts: PackRuleTexts;
  readonly samples: readonly PackSample[];
  /** Of its key. */
  readonly place: PackPlace;
}

export interface Pack {
  readonly name: string;
  readonly version: string;
  readonly owner: string;
  readonly folder: string;
  readonly rules: readonly LoadedPackRule[];
  /** Of its name. */
  readonly place: PackPlace;
}

/** Counted from 1. */
export interface PackPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface PackFault extends PackPlace {
  readonly problem: string;
  /** What to write instead. */
  readonly remedy: string;
}

/** `mine/rules/a.yaml:3:5: likelihood is 7. Write a whole number from 1 to 4.` */
export function faultText({ file, line, column, problem, remedy }: PackFault): string {
  return `${file}:${line}:${column}: ${problem}. ${remedy}.`;
}

const faultsNamedMax = 20;

/** Code `RULE_PACK_INVALID`, each fault on a line of its own. */
export function packsInvalid(faults: readonly PackFault[]): CcxError {
  const named = faults.slice(0, faultsNamedMax).map(faultText);
  const more = faults.length - named.length;
  const lines = more > 0 ? [...named, `and ${more} more`] : named;
  return new CcxError(`rule packs cannot be used:\n${lines.join('\n')}`, {
    code: 'RULE_PACK_INVALID',
    category: 'configuration',
    hint: 'change the files, or rules.packs; ccx rules test DIR says whether a pack is right',
  });
}

/** The one of `known` that is most like a name that is none of them; undefined where none is. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const close = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return close !== undefined && close.distance <= Math.max(1, Math.floor(name.length / 3))
    ? close.candidate
    : undefined;
}

const comparedCharactersMax = 60;

function editDistance(a: string, b: string): number {
  if (a.length > comparedCharactersMax || b.length > comparedCharactersMax) return Number.POSITIVE_INFINITY;
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      line.push(Math.min(replaced, above[column]! + 1, line[column - 1]! + 1));
    }
    above = line;
  }
  return above[b.length]!;
}
