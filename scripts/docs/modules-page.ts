/** docs/modules.md: which folder imports which (Mermaid), and every source file with the first sentence of its header. */
import { firstSentence, isTestFile, readSourceTree } from './source-tree.ts';

export function renderModulesPage(): string {
  const tree = [...readSourceTree().values()].filter((file) => file.path.startsWith('src/') && !isTestFile(file.path));
  const edges = new Set<string>();
  for (const file of tree) {
    for (const target of file.imports) {
      if (!target.startsWith('src/') || isTestFile(target)) continue;
      const from = moduleOf(file.path);
      const to = moduleOf(target);
      if (from !== to) edges.add(`  ${nodeName(from)}["${from}"] --> ${nodeName(to)}["${to}"]`);
    }
  }
  const sections: string[] = [];
  let current = '';
  for (const file of tree) {
    const module = file.path.slice(0, file.path.lastIndexOf('/'));
    if (module !== current) {
      sections.push('', `## ${module}`, '');
      current = module;
    }
    sections.push(`* [${file.path.slice(module.length + 1)}](../${file.path}): ${firstSentence(file.header)}`);
  }
  return [
    '# Modules',
    '',
    'Generated from the imports and the header comments by `npm run generate`; do not edit.',
    '',
    '```mermaid',
    'flowchart BT',
    ...[...edges].sort(),
    '```',
    ...sections,
    '',
  ].join('\n');
}

/** `src/services/ingress/steps/x.ts` → `services/ingress`; `src/platform/bus/…` → `platform`; `src/cli.ts` → `cli`. */
function moduleOf(path: string): string {
  const parts = path.split('/');
  if (parts[1] === 'services') return `services/${parts[2]}`;
  return (parts[1] ?? '').replace(/\.ts$/, '');
}

function nodeName(module: string): string {
  return module.replace(/[^a-z]/g, '_');
}
