/**
 * What `[[receivers]]` may say: the keys of one receiver, whatever its type. Part of the notification service's table of options; what the
 * values mean together is checked by `receiver-settings.ts`.
 */
import type { ListSpec } from '../../../platform/config/options.ts';
import { alertmanagerOptions } from './alertmanager-options.ts';
import { emailOptions } from './email-options.ts';

const RECEIVER_TYPES = ['alertmanager', 'webhook', 'email'] as const;
const WEBHOOK_FORMATS = ['cloudevents', 'slack'] as const;

export const receiverOptions = {
  description: 'whom to notify beside the targets of the platform; see docs/receivers.md',
  options: {
    name: {
      type: 'string',
      default: '',
      required: true,
      description:
        'Its name: small letters, digits and dashes. What was told is remembered by it: with another name it is another receiver',
    },
    type: { type: 'string', default: '', required: true, choices: RECEIVER_TYPES, description: 'What it is' },
    event_filter: {
      type: 'string',
      default: '',
      description: 'An issue passes when this expression is greater than 0; empty: totalRisk >= totalRiskThreshold',
    },
    total_risk_threshold: {
      type: 'integer',
      default: 2,
      description: 'Value of totalRiskThreshold in the filter: 1 low, 2 moderate, 3 important, 4 critical',
    },
    likelihood_threshold: { type: 'integer', default: 0, description: 'Value of likelihoodThreshold in the filter' },
    impact_threshold: { type: 'integer', default: 0, description: 'Value of impactThreshold in the filter' },
    severity_threshold: { type: 'integer', default: 0, description: 'Value of severityThreshold in the filter' },
    tags: { type: 'list', default: [], description: 'Only rules that have all of these tags' },
    cooldown: {
      type: 'string',
      default: '1 week',
      description: 'How long an issue that was told is not told again; PostgreSQL interval, 0 for none',
    },
    cluster_cap: {
      type: 'integer',
      default: 0,
      min: 0,
      description: 'Issues of one cluster told in one UTC day, see kafka_broker.cluster_cap. 0: no cap',
    },
    organizations: { type: 'list', default: [], description: 'Only clusters of these organizations (numbers)' },
    clusters: { type: 'list', default: [], description: 'Only these clusters (UUIDs)' },
    send_resolved: {
      type: 'boolean',
      default: false,
      description:
        'Also tell when an issue that was told is resolved (issues.resolved_after). Of an alertmanager the default is true',
    },
    url: {
      type: 'string',
      default: '',
      secret: true,
      description:
        'Where it is, http(s)://…; never shown in full. Of an alertmanager also several, with blanks between: all are posted to',
    },
    bearer_token: { type: 'string', default: '', secret: true, description: 'Authorization: Bearer …' },
    username: {
      type: 'string',
      default: '',
      description: 'Authorization: Basic …, with password; of an email: its login at the server',
    },
    password: { type: 'string', default: '', secret: true, description: 'Of username' },
    headers: { type: 'list', default: [], description: 'More headers, each "Name: value"' },
    ca_file: {
      type: 'string',
      default: '',
      description: 'PEM file of the authority of its certificate, beside the known ones',
    },
    client_cert_file: { type: 'string', default: '', description: 'PEM file of the certificate that it asks for' },
    client_key_file: { type: 'string', default: '', description: 'PEM file of the key of client_cert_file' },
    proxy_url: { type: 'string', default: '', secret: true, description: 'Proxy to it, http://host:port' },
    timeout: { type: 'duration', default: 15_000, min: 1, max: 60_000, description: 'How long one call may take' },
    allow_link_local: {
      type: 'boolean',
      default: false,
      description: 'It may be at a link-local address, where the metadata services of clouds are, too',
    },
    format: {
      type: 'string',
      default: 'cloudevents',
      choices: WEBHOOK_FORMATS,
      description: 'Of a webhook: cloudevents, signed; or slack, which Slack, Mattermost and Rocket.Chat understand',
    },
    signing_key: {
      type: 'string',
      default: '',
      secret: true,
      description:
        'Of a webhook with cloudevents: whsec_ and 24 to 64 bytes in Base64, as Standard Webhooks writes them',
    },
    signing_key_old: {
      type: 'string',
      default: '',
      secret: true,
      description: 'The key before, while it is exchanged: each message is signed with both',
    },
    ...emailOptions,
    ...alertmanagerOptions,
  },
} as const satisfies ListSpec;
