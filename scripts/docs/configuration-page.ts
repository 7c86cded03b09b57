/** docs/configuration.md from the option tables: every setting with its environment name, key, flag, type and default. */
import { environmentName, type OptionSpec, type OptionTable } from '../../src/platform/config/options.ts';
import { formatDuration } from '../../src/platform/config/parse-value.ts';
import { optionTables } from './option-tables.ts';

export function renderConfigurationPage(): string {
  const sections = optionTables.flatMap((table) => ['', `## ${table.name}`, '', ...tableRows(table)]);
  return [
    '# Configuration',
    '',
    'Generated from the option tables by `npm run generate`; do not edit.',
    '',
    'A value comes from the first of: flag, environment, file (`--config FILE`, TOML), default. An empty environment variable counts as unset. Secrets may also come from the file that the variable with the suffix `_FILE` names.',
    ...sections,
    '',
  ].join('\n');
}

function tableRows(table: OptionTable): string[] {
  const rows = Object.entries(table.options).map(([key, spec]) => {
    const flag = spec.flag === undefined ? '' : `\`--${spec.flag}\``;
    return `| \`${key}\` | \`${environmentName(table, key)}\` | ${flag} | ${spec.type} | ${shownDefault(spec)} | ${cell(spec.description)} |`;
  });
  return ['| key in the file | environment | flag | type | default | meaning |', '|---|---|---|---|---|---|', ...rows];
}

function shownDefault(spec: OptionSpec): string {
  if (spec.secret === true) return '(secret)';
  if (spec.type === 'duration') return `\`${formatDuration(Number(spec.default))}\``;
  return `\`${cell(JSON.stringify(spec.default))}\``;
}

/** A pipe would end the table's cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
