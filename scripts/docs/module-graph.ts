/** The import graph of the layers as Mermaid, for docs/architecture.md: an arrow for each pair of layers of which one imports the other. */
import { isTestFile, readSourceTree } from './source-tree.ts';

export function renderModuleGraph(): string {
  const edges = new Set<string>();
  for (const file of readSourceTree().values()) {
    if (!isSource(file.path)) continue;
    for (const target of file.imports) {
      const [from, to] = [layerOf(file.path), layerOf(target)];
      if (isSource(target) && from !== to) edges.add(`  ${from} --> ${to}`);
    }
  }
  return ['```mermaid', 'flowchart BT', ...[...edges].sort(), '```'].join('\n');
}

function isSource(path: string): boolean {
  return path.startsWith('src/') && !isTestFile(path);
}

/** `src/services/ingress/steps/x.ts` → `services`; `src/cli.ts` → `cli`. */
function layerOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '');
}
