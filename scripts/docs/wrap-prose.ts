/** Wraps the prose of a generated Markdown page; tables, code, headings and what is short enough stay as they are. */

const columnsMax = 100;

export function wrapProse(page: string): string {
  let inCode = false;
  return page
    .split('\n')
    .flatMap((line) => {
      if (line.startsWith('```')) inCode = !inCode;
      return inCode || line.length <= columnsMax || /^[|#<]/.test(line) ? [line] : wrapLine(line);
    })
    .join('\n');
}

/** Code spans and links are not broken; an item's further lines are indented. */
function wrapLine(line: string): string[] {
  const indent = ' '.repeat(/^(\* )?/.exec(line)![0].length);
  const lines: string[] = [];
  let current = '';
  for (const word of line.match(/(?:`[^`]*`|\[[^\]]*\]\([^)]*\)|[^\s`[])+/g) ?? []) {
    if (current !== '' && current.length + 1 + word.length > columnsMax) {
      lines.push(current);
      current = indent + word;
    } else {
      current = current === '' ? word : `${current} ${word}`;
    }
  }
  return [...lines, current];
}
