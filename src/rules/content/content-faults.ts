/**
 * What is wrong with a content folder, by file and line, and the reading of its YAML files that finds it. Used by `load-content.ts`; a
 * fault is reported and never thrown, so that whoever wrote the content learns of all of them at once.
 */
import { LineCounter, parseDocument, type YAMLParseError } from 'yaml';
import { errorText } from '../../encoding/ccx-error.ts';
import { isJsonObject, type JsonObject } from '../../encoding/json-text.ts';

export interface ContentFault {
  /** Path below the content root; of something that is missing the path where it was looked for. */
  readonly file: string;
  /** From 1; undefined where it is about the file as a whole. */
  readonly line: number | undefined;
  readonly message: string;
  /** Whether the rule is left out for it; otherwise the rule is there, and something of it is not what its author meant. */
  readonly leavesOut: boolean;
}

/** Where faults go. */
export type ReportFault = (fault: ContentFault) => void;

/** `external/rules/a/KEY/metadata.yaml:3: likelihood must be a whole number` */
export function faultText({ file, line, message }: Pick<ContentFault, 'file' | 'line' | 'message'>): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`;
}

/** A YAML file that holds a mapping. Values are asked for by name; one that is of another type is a fault and counts as nothing. */
export class YamlMapping {
  readonly #file: string;
  readonly #values: JsonObject;
  readonly #lineOf: (path: readonly string[]) => number | undefined;
  readonly #report: ReportFault;

  /** Undefined, and a fault, where the text holds no mapping. */
  static parse(file: string, text: string, report: ReportFault): YamlMapping | undefined {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, logLevel: 'silent' });
    const whole = (line: number | undefined, message: string) => {
      report({ file, line, message, leavesOut: true });
      return undefined;
    };
    const [error] = document.errors;
    if (error !== undefined) return whole(error.linePos?.[0].line, `not YAML: ${firstLine(error)}`);
    let values: unknown;
    try {
      values = document.toJS();
    } catch (cause) {
      // Aliases without an anchor, or that stand for too much.
      return whole(undefined, `not YAML: ${errorText(cause)}`);
    }
    if (!isJsonObject(values)) return whole(1, 'does not hold a mapping');
    const lineOf = (path: readonly string[]) => {
      const node = document.getIn(path, true) as { readonly range?: readonly [number, number, number] } | undefined;
      const at = node?.range?.[0];
      return at === undefined ? undefined : lines.linePos(at).line;
    };
    return new YamlMapping(file, values, lineOf, report);
  }

  private constructor(
    file: string,
    values: JsonObject,
    lineOf: (path: readonly string[]) => number | undefined,
    report: ReportFault,
  ) {
    this.#file = file;
    this.#values = values;
    this.#lineOf = lineOf;
    this.#report = report;
  }

  /** About the value of a name. */
  fault(path: readonly string[], message: string, leavesOut: boolean): void {
    this.#report({ file: this.#file, line: this.#lineOf(path), message, leavesOut });
  }

  /** Absent and null are empty. */
  text(name: string): string {
    const value = this.#own(name) ?? '';
    if (typeof value !== 'object') return String(value);
    this.fault([name], `${name} must be a text`, true);
    return '';
  }

  /** Absent and null are 0. */
  wholeNumber(name: string): number {
    const value = this.#own(name) ?? 0;
    if (Number.isInteger(value)) return value as number;
    this.fault([name], `${name} must be a whole number`, true);
    return 0;
  }

  /** Absent and null are empty. */
  texts(name: string): string[] {
    const value = this.#own(name) ?? [];
    if (Array.isArray(value)) return value.map(String);
    this.fault([name], `${name} must be a list`, true);
    return [];
  }

  /** Name → number. A null key, which the reference's table has, is the empty name. What is no number is a fault and left out. */
  numbers(name: string): Record<string, number> {
    const table = this.#own(name);
    if (!isJsonObject(table)) {
      this.fault([name], `${name} must be a table of names and numbers`, false);
      return {};
    }
    const entries = Object.entries(table).filter((entry): entry is [string, number] => {
      if (typeof entry[1] === 'number') return true;
      this.fault([name, entry[0]], `${name}: ${JSON.stringify(entry[0])} must have a number`, false);
      return false;
    });
    return Object.fromEntries(entries);
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }
}

/** The parser's message ends with the lines that it is about. */
function firstLine(error: YAMLParseError): string {
  return error.message.split('\n', 1)[0]!.replace(/ at line \d+, column \d+:?$/, '');
}
