/** docs/configuration.md from the option tables: every setting with its environment name, key, flag, type and default. */
import {
  environmentName,
  type ListSpec,
  type OptionSpec,
  type OptionTable,
} from '../../src/platform/config/options.ts';
import { formatDuration } from '../../src/platform/config/parse-value.ts';
import { optionTables } from './option-tables.ts';

export function renderConfigurationPage(): string {
  const sections = optionTables.flatMap((table) => [
    '',
    `## ${table.name}`,
    '',
    ...tableRows(table),
    ...Object.entries(table.lists ?? {}).flatMap(([name, spec]) => listRows(name, spec)),
  ]);
  return [
    '# Configuration',
    '',
    'Generated from the option tables by `npm run generate`; do not edit.',
    '',
    'A value comes from the first of: flag, environment, file (`--config FILE`), default. An empty environment variable counts as unset, and so does a key of the file without a value (`null`). The file is TOML, or JSON or YAML as its ending says, and may be a pipe; case does not count in its keys. Secrets may also come from the file that the variable with the suffix `_FILE` names; the login of a database and the credentials of Service Log are read from it again when they are rotated.',
    '',
    'The file of `ccx all-in-one` has sections of its own and those of the roles below their names: what is `[delivery]` in the file of `ccx notifier` is `[notifier.delivery]` there, and so with `ingress`, `data-pipeline`, `writer` and `tracker`. Addresses, ports, database, bus, storage and logging of the roles count for nothing there: the sections `run`, `retention` and `logging` decide them for all, and a key without effect is named at the start.',
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

/** Any number of tables of one name, with keys of their own. */
function listRows(name: string, { description, options }: ListSpec): string[] {
  const rows = Object.entries(options).map(([key, spec]) => {
    const shown = spec.required === true ? '(required)' : shownDefault(spec);
    return `| \`${key}\` | ${spec.type} | ${shown} | ${cell(spec.description)} |`;
  });
  return [
    '',
    `\`[[${name}]]\`: ${description}. In the file only; an unknown key is an error.`,
    '',
    '| key | type | default | meaning |',
    '|---|---|---|---|',
    ...rows,
  ];
}

function shownDefault(spec: Pick<OptionSpec, 'secret' | 'type' | 'default'>): string {
  if (spec.secret === true) return '(secret)';
  if (spec.type === 'duration') return `\`${formatDuration(Number(spec.default))}\``;
  return `\`${cell(JSON.stringify(spec.default))}\``;
}

/** A pipe would end the table's cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
