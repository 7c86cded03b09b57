/**
 * Parts of a stored report as they are written: the details of an issue, which templates must see unchanged (large integers, `1.0`), and
 * the report without the issues that are disabled. Called only for reports that `read-report.ts` has read: the text is valid JSON, so
 * this walks over it without judging it. Source: notification-service.md 7.3, 20.4.
 */

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Element extends Span {
  readonly details: Span | undefined;
}

/** Raw JSON text of `details` by position in `reports`; `null` where an element has none. */
export function detailsByPosition(report: string, positions: ReadonlySet<number>): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const [position, { details }] of locateElements(report).entries()) {
    if (!positions.has(position)) continue;
    found.set(position, details === undefined ? 'null' : report.slice(details.start, details.end));
  }
  return found;
}

/** The report without the elements that `remove` names; everything else stays as it is, byte for byte. */
export function withoutElements(report: string, remove: (position: number) => boolean): string {
  const elements = locateElements(report);
  if (elements.length === 0) return report;
  const kept = elements.filter((_, position) => !remove(position)).map(({ start, end }) => report.slice(start, end));
  return `${report.slice(0, elements[0]!.start)}${kept.join(',')}${report.slice(elements.at(-1)!.end)}`;
}

/** The elements of the top-level `reports`; of the last one where the name occurs twice, as `JSON.parse` has it. */
function locateElements(report: string): Element[] {
  const start = skipBlanks(report, 0);
  if (report[start] !== '{') return [];
  let elements: Element[] = [];
  eachMember(report, start, (name, span) => {
    if (name === 'reports') elements = report[span.start] === '[' ? readElements(report, span) : [];
  });
  return elements;
}

function readElements(report: string, list: Span): Element[] {
  const elements: Element[] = [];
  let at = skipBlanks(report, list.start + 1);
  while (report[at] !== ']') {
    const end = skipValue(report, at);
    let details: Span | undefined;
    if (report[at] === '{') {
      eachMember(report, at, (name, span) => {
        if (name === 'details') details = span;
      });
    }
    elements.push({ start: at, end, details });
    at = skipComma(report, end);
  }
  return elements;
}

/** Every member of the object that begins at `start`. */
function eachMember(report: string, start: number, onMember: (name: string, value: Span) => void): void {
  let at = skipBlanks(report, start + 1);
  while (report[at] === '"') {
    const nameEnd = skipString(report, at);
    const colon = skipBlanks(report, nameEnd);
    const valueStart = skipBlanks(report, colon + 1);
    const valueEnd = skipValue(report, valueStart);
    onMember(JSON.parse(report.slice(at, nameEnd)) as string, { start: valueStart, end: valueEnd });
    at = skipComma(report, valueEnd);
  }
}

/** Position behind the value that begins at `at`. Iterative, because the depth is the sender's choice. */
function skipValue(report: string, at: number): number {
  const first = report[at];
  if (first === '"') return skipString(report, at);
  if (first !== '{' && first !== '[') return skipScalar(report, at);
  let depth = 0;
  let position = at;
  for (;;) {
    structure.lastIndex = position;
    const { index, 0: character } = structure.exec(report)!;
    position = index + 1;
    if (character === '"') position = skipString(report, index);
    else if (character === '{' || character === '[') depth += 1;
    else depth -= 1;
    if (depth === 0) return position;
  }
}

const structure = /["{}[\]]/g;
const scalarEnd = /[,\]}\s]|$/g;
const blanks = /\s*/y;

function skipScalar(report: string, at: number): number {
  scalarEnd.lastIndex = at;
  return scalarEnd.exec(report)!.index;
}

function skipString(report: string, at: number): number {
  let quote = report.indexOf('"', at + 1);
  for (;;) {
    let backslashes = 0;
    while (report[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    quote = report.indexOf('"', quote + 1);
  }
}

function skipBlanks(report: string, at: number): number {
  blanks.lastIndex = at;
  blanks.exec(report);
  return blanks.lastIndex;
}

function skipComma(report: string, at: number): number {
  const next = skipBlanks(report, at);
  return report[next] === ',' ? skipBlanks(report, next + 1) : next;
}
