/**
 * Class diagrams of services, ports and adapters, from TypeDoc's model of the sources and from the imports: which service needs which port,
 * what each port asks for, and who makes something that answers it.
 */
import { readSourceTree } from '../docs/source-tree.ts';
import type { SitePage } from './site-pages.ts';

/** What is looked at of TypeDoc's JSON. */
export interface Model {
  readonly children?: readonly Reflection[];
}

interface Reflection {
  readonly name: string;
  readonly kind: number;
  readonly children?: readonly Reflection[];
  readonly signatures?: readonly {
    readonly type?: TypeOf;
    readonly parameters?: readonly { readonly name: string }[];
  }[];
  readonly type?: TypeOf;
  readonly extendedTypes?: readonly TypeOf[];
  readonly implementedTypes?: readonly TypeOf[];
}

interface TypeOf {
  readonly type: string;
  readonly name?: string;
  readonly typeArguments?: readonly TypeOf[];
  readonly declaration?: Reflection;
}

/** TypeDoc's numbers. */
const kinds = { module: 2, function: 64, class: 128, interface: 256, property: 1024, method: 2048 } as const;

/** docs/architecture.md, "Ports and their adapters", and the ports that services have of their own. */
const ports: readonly { readonly file: string; readonly names: readonly string[] }[] = [
  { file: 'src/platform/bus/bus.ts', names: ['Bus', 'Producer', 'Consumer', 'BusAdmin'] },
  { file: 'src/platform/objects/object-store.ts', names: ['ObjectStore'] },
  { file: 'src/platform/database/database.ts', names: ['Database'] },
  { file: 'src/platform/secrets/secret-source.ts', names: ['SecretSource'] },
  { file: 'src/platform/clock/clock.ts', names: ['Clock'] },
  { file: 'src/platform/telemetry/telemetry.ts', names: ['Telemetry'] },
  { file: 'src/services/notification-service/ports.ts', names: ['Target', 'ContentSource'] },
];

/** Throws when a port is not where it is said to be, or nobody answers it. */
export function renderClassDiagrams(model: Model): SitePage {
  const modules = new Map((model.children ?? []).map((module) => [`${module.name}.ts`, module.children ?? []]));
  return {
    ...{ name: 'class-diagrams', title: 'Class diagrams', group: 'Documentation' },
    text: [
      '# Class diagrams',
      '',
      'Generated from the sources by `npm run docs`. Also in pictures: [the way of one archive](docs/sequence.md), ' +
        '[the import graph](docs/architecture.md#import-graph), [the tables](docs/database.md#schema-public).',
      '',
      '## Services and their ports',
      '',
      ...diagram(serviceLines()),
      ...ports.flatMap(({ file, names }) => [
        ...['', `## ${names[0]}`, '', `[${file}](${file}), what it asks for and who answers.`, ''],
        ...diagram(names.flatMap((name) => portLines(name, file, modules))),
      ]),
      '',
    ].join('\n'),
  };
}

function diagram(lines: readonly string[]): string[] {
  return ['```mermaid', 'classDiagram', '  direction LR', ...lines.map((line) => `  ${line}`), '```'];
}

function serviceLines(): string[] {
  const production = [...readSourceTree().values()].filter(({ path }) =>
    /^src\/services\/(?!.*\.(test|contract)\.ts$)/.test(path),
  );
  const byService = Map.groupBy(production, ({ path }) => path.split('/')[2]!);
  return [...byService]
    .flatMap(([service, files]) => {
      const used = ports.filter(({ file }) => files.some(({ imports }) => imports.includes(file)));
      const steps = files
        .filter(({ path }) => path.includes('/steps/'))
        .map(({ path }) => path.split('/').at(-1)!.slice(0, -3));
      const id = service.replaceAll('-', '_');
      return [
        `class ${id}["${service}"] {`,
        '  <<service>>',
        ...steps.map((step) => `  ${step.replaceAll('-', '_')}()`),
        '}',
        ...used.map(({ names }) => `${id} ..> ${names[0]}`),
      ];
    })
    .concat(ports.flatMap(({ names }) => [`class ${names[0]} {`, '  <<port>>', '}']));
}

type Modules = ReadonlyMap<string, readonly Reflection[]>;

function portLines(name: string, file: string, modules: Modules): string[] {
  const port = modules.get(file)?.find((one) => one.kind === kinds.interface && one.name === name);
  if (port === undefined) throw new Error(`${file} has no interface ${name}`);
  const adapters = adaptersOf(name, modules);
  return [
    `class ${name} {`,
    '  <<port>>',
    ...(port.children ?? []).map((member) => `  ${memberLine(member)}`),
    '}',
    ...adapters.flatMap(({ id, made, folder }) => [
      `class ${id}["${made}"] {`,
      `  ${folder}`,
      '}',
      `${name} <|.. ${id}`,
    ]),
  ];
}

function memberLine({ name, signatures, type }: Reflection): string {
  const [signature] = signatures ?? type?.declaration?.signatures ?? [];
  if (signature === undefined) return name;
  return `${name}(${(signature.parameters ?? []).map((parameter) => parameter.name).join(', ')})`;
}

interface Adapter {
  readonly id: string;
  readonly made: string;
  readonly folder: string;
}

/** Functions that make one, directly, by promise or as something more, and classes that say they are one. */
function adaptersOf(port: string, modules: Modules): Adapter[] {
  const more = new Set([port]);
  for (const reflections of modules.values())
    for (const { kind, name, extendedTypes = [] } of reflections)
      if (kind === kinds.interface && extendedTypes.some((type) => type.name === port)) more.add(name);
  const isOne = (type: TypeOf | undefined): boolean =>
    type !== undefined &&
    (more.has(type.name ?? '') ||
      (type.name === 'Promise' && (type.typeArguments ?? []).some((inner) => isOne(inner))));
  return [...modules].flatMap(([file, reflections]) =>
    reflections
      .filter(
        ({ kind, name, signatures = [], implementedTypes = [] }) =>
          (kind === kinds.function &&
            /^(create|open|connect|start)/.test(name) &&
            signatures.some(({ type }) => isOne(type))) ||
          (kind === kinds.class && implementedTypes.some((type) => isOne(type))),
      )
      .map(({ name, kind }) => ({
        id: `${port}_${name}`,
        made: kind === kinds.class ? name : `${name}()`,
        folder: file
          .slice('src/'.length)
          .replace(/\/[^/]+$/, '')
          .replaceAll('/', ' / '),
      })),
  );
}
