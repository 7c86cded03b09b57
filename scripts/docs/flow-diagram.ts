/** The twelve hops as the README's text diagram, and as table and sequence diagram of docs/sequence.md: all from `src/topology.ts`. */
import { TOPIC_PAYLOAD_STATUS } from '../../src/contracts/topics.ts';
import { HOPS, type Hop } from '../../src/topology.ts';

const participants: Readonly<Record<Hop['service'], string>> = {
  cluster: 'Cluster (Insights Operator)',
  ingress: 'Ingress',
  'data-pipeline': 'Data pipeline',
  'notification-writer': 'Notification writer',
  'notification-service': 'Notification service',
};

/** A table for the README: hop, who, what, what it leaves behind. */
function renderHopTable(): string {
  const rows = HOPS.map(
    (hop) =>
      `| ${hop.number} | [${hop.service}](${hop.folder}) | ${hop.step} | ${hop.leaves.replace(/\b(platform|ccx)\.[a-z.-]+/g, '`$&`')} |`,
  );
  return ['| hop | who | what happens | what it leaves behind |', '|---|---|---|---|', ...rows].join('\n');
}

/** The flow as a picture in plain text, one box per service. */
export function renderFlowDiagram(): string {
  const lines: string[] = [];
  let previous: Hop['service'] | undefined;
  for (const hop of HOPS) {
    if (hop.service !== previous) {
      if (previous !== undefined) lines.push('        │', '        ▼');
      lines.push(participants[hop.service].toUpperCase());
      previous = hop.service;
    }
    const leaves = hop.leaves.startsWith('nothing') ? '' : `   ──▶ ${hop.leaves}`;
    lines.push(`  ${String(hop.number).padStart(2)}  ${hop.step}${leaves}`);
  }
  return ['```', ...lines, '```'].join('\n');
}

export function renderSequencePage(): string {
  const lines = ['sequenceDiagram', '  autonumber'];
  const names = new Map<Hop['service'], string>();
  for (const hop of HOPS) {
    if (names.has(hop.service)) continue;
    const name = hop.service.replaceAll('-', '_');
    names.set(hop.service, name);
    lines.push(`  participant ${name} as ${participants[hop.service]}`);
  }
  let previous: Hop['service'] = 'cluster';
  for (const hop of HOPS) {
    const from = names.get(previous)!;
    const to = names.get(hop.service)!;
    lines.push(`  ${from}->>${to}: ${hop.number}. ${hop.step}`);
    if (!hop.leaves.startsWith('nothing')) lines.push(`  Note over ${to}: ${hop.leaves.replaceAll(';', ',')}`);
    previous = hop.service;
  }
  return [
    '# The way of one archive',
    '',
    'Generated from `src/topology.ts` by `npm run generate`; do not edit.',
    '',
    '```mermaid',
    ...lines,
    '```',
    '',
    renderHopTable().replaceAll('](src/', '](../src/'),
    '',
    `Beside the flow every service reports what it did with a request id on \`${TOPIC_PAYLOAD_STATUS}\`; the payload tracker keeps that in \`ccx.trace\`.`,
    'What hops 8, 10 and 12 leave behind is read by the [results API](../src/services/results-api), which answers clusters, hubs and people.',
    '',
  ].join('\n');
}
