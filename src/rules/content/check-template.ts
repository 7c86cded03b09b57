/**
 * Template text → the first thing that is wrong with it, with its line. Nothing of it is run: tags are paired, and each expression is
 * only parsed. What needs its data to go wrong is found when it is rendered. Called when content is loaded. Source: data-pipeline.md 8.6.
 */
import { Script } from 'node:vm';

interface TemplateFault {
  /** From 1, within the text. */
  readonly line: number;
  readonly message: string;
}

type Block = { readonly kind: 'condition' | 'loop'; readonly line: number };

/** Undefined where nothing is. */
export function checkTemplate(text: string): TemplateFault | undefined {
  const blocks: Block[] = [];
  let line = 1;
  let from = 0;
  for (const tag of text.matchAll(/\{\{([\s\S]*?\}*)\}\}/g)) {
    line += lineEnds(text.slice(from, tag.index));
    from = tag.index;
    const message = checkTag(tag[1]!, line, blocks);
    if (message !== undefined) return { line, message };
  }
  const rest = text.slice(from).replace(/^\{\{[\s\S]*?\}\}/, '');
  const open = rest.indexOf('{{');
  if (open >= 0) {
    const before = text.slice(0, text.length - rest.length + open);
    return { line: 1 + lineEnds(before), message: '{{ is never closed with }}' };
  }
  const unended = blocks.at(-1);
  if (unended === undefined) return undefined;
  const { kind, line: begun } = unended;
  return { line: begun, message: kind === 'loop' ? '{{~ … }} has no {{~}}' : '{{? … }} has no {{?}}' };
}

function checkTag(body: string, line: number, blocks: Block[]): string | undefined {
  const mark = /^[=!?~#]/.exec(body)?.[0];
  if (mark === '=' || mark === '!') return checkExpression(body.slice(1), `{{${mark}`);
  if (mark === '~') return checkLoop(body.slice(1).trim(), line, blocks);
  if (mark === '?') return checkCondition(body.slice(1), line, blocks);
  if (mark === '#') return 'definitions ({{#) are not supported';
  return body.trim() === '' ? '{{}} is empty' : undefined;
}

function checkLoop(head: string, line: number, blocks: Block[]): string | undefined {
  if (head === '') return blocks.pop()?.kind === 'loop' ? undefined : '{{~}} ends no loop';
  const [, list, item] = /^([\s\S]+?)\s*:\s*([\w$]+)\s*(?::\s*[\w$]+)?$/.exec(head) ?? [];
  if (list === undefined || item === undefined) return 'a loop is {{~ list :item }} or {{~ list :item:index }}';
  blocks.push({ kind: 'loop', line });
  return checkExpression(list, '{{~');
}

function checkCondition(rest: string, line: number, blocks: Block[]): string | undefined {
  const isElse = rest.startsWith('?');
  const condition = (isElse ? rest.slice(1) : rest).trim();
  if (isElse) {
    if (blocks.at(-1)?.kind !== 'condition') return '{{??}} is in no condition';
    return condition === '' ? undefined : checkExpression(condition, '{{??');
  }
  if (condition === '') return blocks.pop()?.kind === 'condition' ? undefined : '{{?}} ends no condition';
  blocks.push({ kind: 'condition', line });
  return checkExpression(condition, '{{?');
}

/** Parsed and never run. */
function checkExpression(code: string, mark: string): string | undefined {
  try {
    new Script(`(${code.replaceAll(/[\r\n\t]/g, ' ')})`);
    return undefined;
  } catch (error) {
    return `${mark}${code.trim()} is no expression: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function lineEnds(text: string): number {
  return text.split('\n').length - 1;
}
