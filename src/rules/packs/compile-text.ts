/**
 * A text of a pack → the same text in the language of rule content (doT), or faults with their place. A pack's author may be trusted less than
 * the program: what stands between braces is parsed here, and JavaScript is written from what was understood, never taken over. So a text
 * of a pack is rendered like any other, here and by everybody who reads our content, and can do nothing but show what the rule found.
 *
 * Known are `{{=path}}`, `{{?condition}}`, `{{??condition}}`, `{{??}}`, `{{?}}`, `{{~path :name}}`, `{{~path :name :index}}` and `{{~}}`. A path
 * begins with `pydata` or a name of a loop; a condition is a path, or CEL of paths, literals, comparisons, `in`, `&&`, `||`, `!`, `has()`,
 * `size()`, `startsWith()`, `endsWith()` and `contains()`. What is not there shows as nothing, and no condition fails.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { type ExpressionFault, nodesOf } from './compile-expression.ts';
import { nearest, packLimits } from './pack.ts';

interface CompiledText {
  readonly template: string;
  readonly faults: readonly ExpressionFault[];
}

/** Within each other; a sentence has two. */
const blocksOpenMax = 16;

/** `names`: what is in `pydata`, the details of the rule and what the engine adds. */
export function compileText(text: string, names: readonly string[]): CompiledText {
  const compiler = new TextCompiler(text, names);
  return { template: compiler.compile(), faults: compiler.faults };
}

interface Block {
  readonly kind: 'if' | 'loop';
  readonly index: number;
  readonly variables: readonly string[];
  /** Its last branch has begun. */
  hasElse: boolean;
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** `name`, `.name`, `["name"]`, `[0]`, each with what may stand around it. */
const pathStep = /^(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d{1,6})\]|\["([^"\\{}]{1,253})"\]|\['([^'\\{}]{1,253})'\])/;
const loop = /^(.*?)\s*:\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?::\s*([A-Za-z_][A-Za-z0-9_]*)\s*)?$/s;
const outputRemedy = 'Write {{=pydata.name}}: a path and nothing else; compute values in details';
const tagsRemedy = 'Write one of {{=path}}, {{?condition}}, {{??}}, {{?}}, {{~path :name}} and {{~}}';

/** Words of JavaScript and of what the template becomes, which a loop's variable must not be called. */
const reservedWords =
  /^(?:pydata|out|arr\d+|l\d+|i\d+|break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|export|extends|false|finally|for|function|if|import|in|instanceof|let|new|null|return|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield|await|arguments|eval|undefined|NaN|Infinity|String|Array|Object)$/;

class TextCompiler {
  readonly faults: ExpressionFault[] = [];
  readonly #text: string;
  readonly #names: readonly string[];
  readonly #open: Block[] = [];

  constructor(text: string, names: readonly string[]) {
    this.#text = text;
    this.#names = names;
  }

  compile(): string {
    const text = this.#text;
    if (text.length > packLimits.expressionCharactersMax) {
      this.#fault(0, `a text has at most ${packLimits.expressionCharactersMax} characters`, 'Write less');
      return '';
    }
    let out = '';
    let at = 0;
    for (;;) {
      const start = text.indexOf('{{', at);
      out += plain(text.slice(at, start === -1 ? text.length : start));
      if (start === -1) break;
      const end = endOfTag(text, start + 2);
      if (end === undefined) {
        this.#fault(start, 'this "{{" is not closed', 'Write "}}" behind it');
        break;
      }
      out += this.#tag(text.slice(start + 2, end), start);
      at = end + 2;
    }
    for (const { kind, index } of this.#open) {
      const isIf = kind === 'if';
      this.#fault(
        index,
        `this ${isIf ? 'condition' : 'loop'} has no end`,
        `Write ${isIf ? '{{?}}' : '{{~}}'} where it ends`,
      );
    }
    return out;
  }

  #tag(inner: string, index: number): string {
    if (inner.startsWith('=')) return this.#output(inner.slice(1), index + 3);
    if (inner.startsWith('??')) return this.#otherwise(inner.slice(2), index);
    if (inner.startsWith('?')) return this.#condition(inner.slice(1), index);
    if (inner.startsWith('~')) return this.#loop(inner.slice(1), index);
    this.#fault(index, `texts of a pack do not know "{{${inner.slice(0, 40)}}}"`, tagsRemedy);
    return '';
  }

  #output(inner: string, index: number): string {
    const path = this.#path(inner, index, outputRemedy);
    return path === undefined ? '' : `{{=${path} ?? ""}}`;
  }

  #condition(inner: string, index: number): string {
    if (inner.trim() === '') {
      const block = this.#open.at(-1);
      if (block?.kind === 'if') this.#open.pop();
      else
        this.#fault(
          index,
          'no condition is open that this could end',
          'Leave it out, or close the loop with {{~}} first',
        );
      return '{{?}}';
    }
    this.#begin({ kind: 'if', index, variables: [], hasElse: false });
    return `{{? ${this.#test(inner, index + 3)} }}`;
  }

  #otherwise(inner: string, index: number): string {
    const block = this.#open.at(-1);
    if (block?.kind !== 'if' || block.hasElse) {
      const problem = block?.hasElse === true ? 'the last branch has begun already' : 'no condition is open here';
      this.#fault(index, problem, 'Write {{?condition}} … {{??condition}} … {{??}} … {{?}}');
      return '';
    }
    block.hasElse = inner.trim() === '';
    return block.hasElse ? '{{??}}' : `{{?? ${this.#test(inner, index + 4)} }}`;
  }

  #loop(inner: string, index: number): string {
    if (inner.trim() === '') {
      const block = this.#open.at(-1);
      if (block?.kind === 'loop') this.#open.pop();
      else
        this.#fault(
          index,
          'no loop is open that this could end',
          'Leave it out, or close the condition with {{?}} first',
        );
      return '{{~}}';
    }
    const match = loop.exec(inner);
    const [, list = inner, name, position] = match ?? [];
    const variables = [name, position].filter((variable) => variable !== undefined);
    const wrong = variables.find((variable) => reservedWords.test(variable));
    if (match === null || wrong !== undefined) {
      const problem =
        wrong === undefined ? 'this loop has no name for what it goes through' : `"${wrong}" cannot be a name here`;
      this.#fault(index, problem, 'Write {{~pydata.list :item}}');
      this.#begin({ kind: 'loop', index, variables: [], hasElse: false });
      return '';
    }
    const path = this.#path(list, index + 3, 'Write {{~pydata.list :item}}: a path and a name');
    this.#begin({ kind: 'loop', index, variables, hasElse: false });
    if (path === undefined) return '';
    return `{{~ [].concat(${path} ?? []) :${variables.join(':')} }}`;
  }

  #begin(block: Block): void {
    if (this.#open.length === blocksOpenMax) {
      this.#fault(
        block.index,
        `more than ${blocksOpenMax} conditions and loops stand within each other`,
        'Close some before',
      );
    }
    this.#open.push(block);
  }

  /** JavaScript that reads a path and never throws. */
  #path(inner: string, index: number, remedy: string): string | undefined {
    const trimmed = inner.trim();
    const offset = index + inner.length - inner.trimStart().length;
    const root = /^[A-Za-z_][A-Za-z0-9_]*/.exec(trimmed)?.[0] ?? '';
    const steps: string[] = [];
    let rest = trimmed.slice(root.length);
    while (rest !== '') {
      const step = pathStep.exec(rest);
      if (step === null) break;
      steps.push(step[1] ?? step[2] ?? step[3] ?? step[4]!);
      rest = rest.slice(step[0].length);
    }
    if (root === '' || rest !== '') {
      this.#fault(offset, `"${trimmed.slice(0, 60)}" is no path`, remedy);
      return undefined;
    }
    return this.#known(root, steps[0], offset) ? read(root, steps) : undefined;
  }

  #known(root: string, first: string | undefined, index: number): boolean {
    if (this.#open.some(({ variables }) => variables.includes(root))) return true;
    if (root !== 'pydata') {
      const names = ['pydata', ...this.#open.flatMap(({ variables }) => variables)];
      this.#fault(
        index,
        `nothing is called "${root}" here`,
        nearRemedy(root, names, 'Begin with pydata, or the name of a loop around'),
      );
      return false;
    }
    if (first !== undefined && !this.#names.includes(first)) {
      const near = nearest(first, this.#names);
      const known =
        this.#names.length === 0 ? 'The rule has no details' : `Details of the rule are ${this.#names.join(', ')}`;
      this.#fault(index, `the rule has no detail "${first}"`, near === undefined ? known : `Write pydata.${near}`);
      return false;
    }
    return true;
  }

  #test(inner: string, index: number): string {
    const trimmed = inner.trim();
    const offset = index + inner.length - inner.trimStart().length;
    let tree: ASTNode;
    try {
      tree = conditions.parse(trimmed).ast;
    } catch (error) {
      const { summary, message, range } = error as { summary?: string; message: string; range?: { start: number } };
      this.#fault(offset + (range?.start ?? 0), (summary ?? message).replace(/\.$/, ''), conditionRemedy);
      return 'false';
    }
    const written = write(tree);
    if (typeof written !== 'string') {
      const { start, end } = written.node.range;
      const part = trimmed.slice(start, end).slice(0, 60);
      this.#fault(offset + start, `a condition in a text does not know "${part}"`, conditionRemedy);
      return 'false';
    }
    for (const node of nodesOf(tree)) {
      if (node.op === 'id' && !this.#known(node.args, undefined, offset + node.range.start)) return 'false';
      if (node.op === '.' && node.args[0].op === 'id' && node.args[0].args === 'pydata') {
        if (!this.#known('pydata', node.args[1], offset + node.args[0].range.start)) return 'false';
      }
    }
    return isPath(tree) ? truth(written) : written;
  }

  #fault(index: number, problem: string, remedy: string): void {
    this.faults.push({ index, problem, remedy });
  }
}

const conditionRemedy =
  'Write a path, or compare paths with == != < <= > >= in && || ! has() size(); compute anything else in details';

/** Only its parser is used: nothing of a text is evaluated as CEL. */
const conditions = new Environment({ unlistedVariablesAreDyn: true, limits: { maxAstNodes: 200, maxDepth: 32 } });

/** The closing braces, not those in a text between quotes. */
function endOfTag(text: string, from: number): number | undefined {
  let quote = '';
  for (let at = from; at < text.length; at += 1) {
    const character = text[at]!;
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '}' && text[at + 1] === '}') return at;
  }
  // A quote that is not closed: the tag ends where braces do, and its fault is told there.
  const braces = text.indexOf('}}', from);
  return braces === -1 ? undefined : braces;
}

/** Text outside of tags; a comment as the language has it would vanish. */
function plain(text: string): string {
  return text.replaceAll('/*', '{{="/"}}*');
}

function nearRemedy(name: string, names: readonly string[], otherwise: string): string {
  const near = nearest(name, names);
  return near === undefined ? otherwise : `Write "${near}"`;
}

/** A literal of JavaScript that holds nothing which the template language would take for its own. */
function quoted(text: string): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(text).replace(/[{}:\u2028\u2029']/g, escaped);
}

/** Own members only: `constructor` and the like are nothing. */
function read(root: string, steps: readonly string[]): string {
  return steps.reduce((value, step) => {
    // The details are always there.
    const member =
      value === 'pydata' && identifier.test(step)
        ? `.${step}`
        : identifier.test(step)
          ? `?.${step}`
          : `?.[${quoted(step)}]`;
    if (step === 'length' || !isOfPrototype(step)) return `${value}${member}`;
    return `(Object.hasOwn(Object(${value}), ${quoted(step)}) ? ${value}${member} : undefined)`;
  }, root);
}

/** Names that every value has without having them. */
function isOfPrototype(name: string): boolean {
  return [Object.prototype, Array.prototype, String.prototype, Number.prototype].some((prototype) => name in prototype);
}

/** What a bare path is as a condition: there, and neither false, 0, nor an empty text or list. */
function truth(path: string): string {
  return `(${path}) && (${path}).length !== 0`;
}

function isPath(node: ASTNode): boolean {
  return node.op === 'id' || ((node.op === '.' || node.op === '[]') && isPath(node.args[0]));
}

type Written = string | { readonly node: ASTNode };

const comparisons: Readonly<Record<string, string>> = {
  '==': '===',
  '!=': '!==',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};
const textMethods: Readonly<Record<string, string>> = {
  startsWith: 'startsWith',
  endsWith: 'endsWith',
  contains: 'includes',
};

/** JavaScript of a condition's tree, or the node that is none. */
function write(node: ASTNode): Written {
  switch (node.op) {
    case 'value':
      if (typeof node.args === 'string') return quoted(node.args);
      if (typeof node.args === 'bigint' || typeof node.args === 'number') return String(Number(node.args));
      return typeof node.args === 'boolean' || node.args === null ? String(node.args) : { node };
    case 'id':
      return node.args;
    case '.':
      return writtenWith([node.args[0]], ([value]) => read(value!, [node.args[1]]));
    case '[]': {
      const [value, key] = node.args;
      if (key.op !== 'value' || (typeof key.args !== 'string' && typeof key.args !== 'bigint')) return { node };
      const name = String(key.args);
      return writtenWith([value], ([written]) => read(written!, [name]));
    }
    case '!_':
      return writtenWith([node.args], ([value]) => `!(${isPath(node.args) ? truth(value!) : value})`);
    case '&&':
    case '||':
      return writtenWith(node.args, ([left, right]) => {
        const [a, b] = [isPath(node.args[0]) ? truth(left!) : left, isPath(node.args[1]) ? truth(right!) : right];
        return `((${a}) ${node.op} (${b}))`;
      });
    case 'in':
      return writtenWith(node.args, ([value, list]) => `([].concat(${list} ?? []).includes(${value}))`);
    case 'list':
      return writtenWith(node.args, (items) => `[${items.join(', ')}]`);
    case 'call':
    case 'rcall':
      return writtenCall(node);
    default: {
      const operator = comparisons[node.op];
      if (operator === undefined) return { node };
      const sides = node.args as readonly ASTNode[];
      // What is not there is as good as null.
      const isOfNull = sides.some(({ op, args }) => op === 'value' && args === null);
      const written = isOfNull ? operator.replace('==', '=') : operator;
      return writtenWith(sides, ([left, right]) => `(${left} ${written} ${right})`);
    }
  }
}

function writtenCall(node: Extract<ASTNode, { op: 'call' | 'rcall' }>): Written {
  const [name, ...rest] = node.args;
  const values = rest.flat() as readonly ASTNode[];
  const [first, second] = values;
  if (name === 'has' && node.op === 'call' && values.length === 1 && first !== undefined && isPath(first)) {
    return writtenWith([first], ([value]) => `((${value}) !== undefined)`);
  }
  if (name === 'size' && values.length === 1) return writtenWith(values, ([value]) => `((${value})?.length ?? 0)`);
  if (node.op === 'rcall' && values.length === 2 && Object.hasOwn(textMethods, name)) {
    return writtenWith(
      [first!, second!],
      ([value, other]) => `(String(${value} ?? "").${textMethods[name]}(${other}))`,
    );
  }
  return { node };
}

function writtenWith(nodes: readonly ASTNode[], join: (parts: readonly string[]) => string): Written {
  const parts: string[] = [];
  for (const node of nodes) {
    const written = write(node);
    if (typeof written !== 'string') return written;
    parts.push(written);
  }
  return join(parts);
}
