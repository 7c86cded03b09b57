/** The content service's options: keys and environment names of the hosted service. Source: data-pipeline.md 8.4. */
import { fileURLToPath } from 'node:url';
import { configInvalid } from '../../encoding/ccx-error.ts';
import { type ConfigOf, defineOptions } from '../../platform/config/options.ts';
import { parseHostPort } from '../../platform/config/parse-value.ts';
import { tlsOptions } from '../../platform/http/own-certificate.ts';
import { CATALOG_CONTENT_ROOT, RULE_GROUPS_FILE } from '../../rules/catalog/content-root.ts';

export const contentServiceOptions = defineOptions({
  name: 'content',
  envPrefix: 'INSIGHTS_CONTENT_SERVICE',
  options: {
    'server.address': { default: ':8080', flag: 'address', description: 'Where to listen, host:port' },
    'server.api_prefix': { default: '/api/v1/', description: 'Begin of every path' },
    'server.api_spec_file': {
      default: '',
      description: "OpenAPI document to serve under its file name instead of the service's own",
    },
    'groups.path': { default: '', description: 'YAML file with the groups of rules; default the usual five' },
    'content.path': {
      default: '',
      flag: 'content',
      description: "Folder with the rules' content; default the rules of this program",
    },
    'hosted.server': {
      default: '',
      description:
        'Another content service, host:port or URL, whose rules are served beside our own; read once at start',
    },
    'hosted.endpoint': { default: '/api/v1/content', description: 'Path of its content, appended to the server' },
    'hosted.first': {
      default: 'own',
      choices: ['own', 'hosted'],
      description: 'Whose content counts of a rule that both know',
    },
    'hosted.exceptions': {
      default: [],
      split: 'comma-or-whitespace',
      description: 'Rules (names of their folders) of which the other content counts',
    },
    'rules.packs': {
      default: [],
      split: 'comma',
      description: 'Folders of rule packs, the same as of the data pipeline: their texts are served, too',
    },
    ...tlsOptions,
    'metrics.namespace': { default: '', description: 'Put before metric names, with an underscore' },
    'logging.log_level': {
      default: 'info',
      choices: ['debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      description: 'Least severe lines that are logged',
    },
  },
});

export type ContentServiceSettings = ReturnType<typeof contentServiceSettings>;

const besideThisFile = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export function contentServiceSettings(config: ConfigOf<typeof contentServiceOptions>) {
  const prefix = config['server.api_prefix'];
  return {
    ...parseAddress(config['server.address']),
    /** Begins and ends with a slash. */
    apiPrefix: `/${prefix.replace(/^\/+|\/+$/g, '')}/`.replace('//', '/'),
    rendererSpecFile: besideThisFile('renderer-openapi.json'),
    specFile: config['server.api_spec_file'] || besideThisFile('openapi.json'),
    groupsFile: config['groups.path'] || RULE_GROUPS_FILE,
    contentRoot: config['content.path'] || CATALOG_CONTENT_ROOT,
    hosted: {
      server: config['hosted.server'],
      endpoint: config['hosted.endpoint'],
      first: config['hosted.first'],
      exceptions: config['hosted.exceptions'],
    },
    packs: config['rules.packs'],
    metricsNamespace: config['metrics.namespace'],
    tls: { certFile: config['tls.cert_file'], keyFile: config['tls.key_file'] },
  };
}

function parseAddress(address: string): { host: string; port: number } {
  const parsed = parseHostPort(address);
  if (parsed === undefined) {
    throw configInvalid(
      `server.address is not host:port: ${address}`,
      'change server.address, for example to 127.0.0.1:8080',
    );
  }
  return { host: parsed.host || '0.0.0.0', port: parsed.port };
}
