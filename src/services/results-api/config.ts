/** The results API's options, and their values as the settings that `service.ts` takes. */
import { gatewayOptions } from '../../platform/auth/gateway-options.ts';
import { type ConfigOf, defineOptions, settingsOf } from '../../platform/config/options.ts';
import { tlsOptions } from '../../platform/http/own-certificate.ts';

const httpPortDefault = 8086;
const operationsPortDefault = 9106;
/** Reads take milliseconds: more connections than this would only wait for processors. */
const databaseConnectionsDefault = 4;
const statementMsDefault = 5_000;
const contentRefreshMsDefault = 60_000;

export const resultsOptions = defineOptions({
  name: 'results',
  envPrefix: 'CCX_RESULTS',
  options: {
    'http.host': { default: '0.0.0.0', flag: 'host', description: 'Address to listen on' },
    'http.port': {
      type: 'integer',
      default: httpPortDefault,
      min: 0,
      max: 65_535,
      flag: 'port',
      description: 'Port of the API; 0 takes any free one',
    },
    'http.allowed_hosts': {
      default: [],
      split: 'comma-or-whitespace',
      description:
        'Names that requests may be for, where the address is of this machine only: the public name of a proxy that passes it on',
    },
    ...tlsOptions,
    ...gatewayOptions,
    'database.url': {
      default: '',
      secret: true,
      env: 'CCX_DATABASE_URL',
      flag: 'database',
      description: 'postgres://user:password@host:port/name of the notification database',
    },
    'reads.connections': {
      type: 'integer',
      default: databaseConnectionsDefault,
      min: 1,
      max: 100,
      description: 'Connections to the database, apart from those of other roles',
    },
    'reads.statement_timeout': {
      type: 'duration',
      default: statementMsDefault,
      min: 100,
      description: 'How long a statement may take; then the answer is 503',
    },
    'content.path': {
      default: '',
      flag: 'content',
      description: "Folder with the rules' content; default the rules of this program",
    },
    'content.server': {
      default: '',
      description: "Content service to take the rules' content from in its place, host:port or URL",
    },
    'content.endpoint': { default: '/api/v1/content', description: 'Path of the content there' },
    'rules.packs': {
      default: [],
      split: 'comma',
      description: 'Folders of rule packs, the same as of the data pipeline: their texts stand beside the content',
    },
    'content.refresh': {
      type: 'duration',
      default: contentRefreshMsDefault,
      min: 1_000,
      description: 'After what time the content is loaded again',
    },
    'gathering.path': {
      default: '',
      description:
        'Folder with what operators are told to gather (versions.json and the files that it names); default ours, for the logs that our rules read',
    },
    'risks.metrics_url': {
      default: '',
      description:
        'Prometheus or Thanos with the metrics of the clusters, by whose alerts and operators updates are advised against; without, from the newest archives where this process has them',
    },
    'risks.metrics_ca_file': {
      default: '',
      description: 'PEM file of the authorities that vouch for that address; without, those that everybody trusts',
    },
    'risks.metrics_token_file': { default: '', description: 'File with the bearer token to bring along there' },
    'risks.cluster_label': {
      default: 'clusterID',
      description: "Label with a cluster's id there; clusterID is that of the observability of ACM",
    },
    'operations.host': { default: '0.0.0.0', description: 'Where /metrics, /ready and /live listen' },
    'operations.port': {
      type: 'integer',
      default: operationsPortDefault,
      min: 0,
      max: 65_535,
      description: 'Their port',
    },
    'logging.level': {
      default: 'info',
      choices: ['debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      flag: 'log-level',
      description: 'Least level of the JSON log lines',
    },
  },
});

export type ResultsSettings = ReturnType<typeof resultsSettings>;

/** `authEnabled`: nobody is anonymous here. */
export function resultsSettings(config: ConfigOf<typeof resultsOptions>) {
  const settings = settingsOf(resultsOptions, config);
  const allowedHosts = settings.http.allowedHosts.map((name) => name.toLowerCase());
  return { ...settings, http: { ...settings.http, allowedHosts }, authEnabled: true };
}
