/** Whether Mermaid understands every diagram of the site; it draws them only in the reader's browser. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decoded, filesOf } from './check-site.ts';

interface Mermaid {
  parse(text: string): Promise<{ readonly diagramType: string }>;
}

const packages = join(import.meta.dirname, 'node_modules');

export interface DiagramsChecked {
  /** By type, such as `classDiagram`: how many there are. */
  readonly counts: Readonly<Record<string, number>>;
  /** One line for each that is not understood. */
  readonly complaints: readonly string[];
}

export async function checkDiagrams(folder: string): Promise<DiagramsChecked> {
  const mermaid = await loadMermaid();
  const counts: Record<string, number> = {};
  const complaints: string[] = [];
  for (const page of filesOf(folder).filter((path) => path.startsWith('documents/'))) {
    const text = readFileSync(join(folder, page), 'utf8');
    for (const [, diagram = ''] of text.matchAll(/<code class="mermaid">([\s\S]*?)<\/code>/g)) {
      try {
        const { diagramType } = await mermaid.parse(decoded(diagram));
        counts[diagramType] = (counts[diagramType] ?? 0) + 1;
      } catch (error) {
        complaints.push(`${page} has a diagram that is none: ${String(error)}`);
      }
    }
  }
  return { counts, complaints };
}

/** It wants a window, if only to clean texts with. */
async function loadMermaid(): Promise<Mermaid> {
  const load = async (path: string) =>
    (await import(pathToFileURL(join(packages, path)).href)) as Record<string, unknown>;
  const { JSDOM } = (await load('jsdom/lib/api.js')) as unknown as { JSDOM: new (html: string) => { window: object } };
  const { window } = new JSDOM('');
  Object.assign(globalThis, { window, document: (window as { document: unknown }).document });
  return (await load('mermaid/dist/mermaid.core.mjs'))['default'] as Mermaid;
}
