/**
 * What happened, one function per business event: its log line, its metrics, its status message for the payload tracker and its
 * announcement. Log texts are the reference's where it has one (ingress.md A.10.2). Identities, tokens and bodies are never passed in here.
 * Nothing throws and nothing is awaited.
 */
import { STATUS_SERVICE_INGRESS } from '../../contracts/payload-status.ts';
import { errorCode, errorFields, errorText } from '../../encoding/ccx-error.ts';
import type { Claimant, Principal } from '../../platform/auth/authenticator.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { StatusSender } from '../../platform/records/status-sender.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import type { createIngressMetrics } from './metrics.ts';
import type { Reply } from './reply.ts';
import type { IncomingUpload, ReceivedForm } from './upload.ts';

/** Distinct values of the `useragent` label; the next ones are counted as `other`. */
const userAgentsMax = 100;
const userAgentCharactersMax = 120;

interface IngressEventsOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly metrics: ReturnType<typeof createIngressMetrics>;
  readonly statuses: StatusSender;
}

export type IngressEvents = ReturnType<typeof createIngressEvents>;

export function createIngressEvents(options: IngressEventsOptions) {
  const labels = new Set<string>();
  /** Anybody may send any User-Agent: only so many make a label of their own. */
  const agentOf = (upload: IncomingUpload) => {
    const label = userAgentLabel(upload.userAgent).slice(0, userAgentCharactersMax);
    if (labels.has(label)) return label;
    if (labels.size >= userAgentsMax) return 'other';
    labels.add(label);
    return label;
  };
  return {
    ...requestEvents(options, agentOf),
    ...uploadEvents(options, agentOf),
    ...outboxEvents(options),
    ...clusterEvents(options),
    ...sideEvents(options),
  };
}

type AgentOf = (upload: IncomingUpload) => string;

function requestEvents({ telemetry, clock, metrics }: IngressEventsOptions, agentOf: AgentOf) {
  const { log } = telemetry;
  return {
    testAnswered(upload: IncomingUpload): void {
      log.debug({ request_id: upload.requestId }, 'test request answered');
      telemetry.announce('test-answered', { requestId: upload.requestId });
    },
    /** It is neither a test nor denied, and is about to be read. */
    uploadBegun(upload: IncomingUpload): void {
      metrics.requests.inc({ useragent: agentOf(upload) });
    },
    uploadRefused(upload: IncomingUpload, principal: Principal | undefined, refusal: Reply): void {
      const code = refusal.code ?? 'UNKNOWN';
      metrics.refused.inc({ code });
      log[refusal.status >= 500 ? 'error' : 'warn'](
        {
          request_id: upload.requestId,
          account: principal?.accountNumber,
          org_id: principal?.orgId,
          status_code: refusal.status,
          code,
          bytes: upload.body.bytesRead,
        },
        refusalTexts[code] ?? 'upload refused',
      );
      telemetry.announce('upload-refused', { requestId: upload.requestId, status: refusal.status, code });
    },
    uploadAnswered(upload: IncomingUpload, status: number): void {
      metrics.responses.inc({ useragent: agentOf(upload), code: String(status) });
      log.info(
        {
          request_id: upload.requestId,
          status_code: status,
          client: upload.clientAddress,
          user_agent: upload.userAgent.slice(0, userAgentCharactersMax),
          elapsed_ms: Math.round(clock.monotonicMs() - upload.receivedMs),
        },
        'request answered',
      );
    },
  };
}

const refusalTexts: Readonly<Record<string, string>> = {
  ORGANIZATION_DENIED: 'Upload rejected due to customer being denylisted',
  FORM_INVALID: 'File or upload field not found',
  BODY_TOO_SLOW: 'The upload came too slowly',
  TOO_MANY_UPLOADS: 'Too many uploads at once',
  CLIENT_GONE: 'File or upload field not found',
  CONTENT_TYPE_UNKNOWN: 'Unable to validate',
  ARCHIVE_EMPTY: 'The archive is empty',
  FORM_TOO_LARGE: 'The form is too large',
  STAGE_FAILED: 'Error staging',
  IDENTITY_NOT_BASE64: 'Failed to decode Identity header',
  IDENTITY_NOT_JSON: 'Failed to decode Identity header',
};

function uploadEvents({ telemetry, clock, metrics, statuses }: IngressEventsOptions, agentOf: AgentOf) {
  const { log } = telemetry;
  const context = (upload: IncomingUpload, principal: Principal, form: ReceivedForm) => ({
    request_id: upload.requestId,
    account: principal.accountNumber,
    org_id: principal.orgId,
    // As in the reference: whose upload it is, and `name` says who writes.
    service: form.type.service,
    name: STATUS_SERVICE_INGRESS,
    size: form.sizeBytes,
    'content-type': form.contentType,
  });
  const hop = (upload: IncomingUpload, number: 1 | 2) => ({
    requestId: upload.requestId,
    hop: number,
    elapsedMs: clock.monotonicMs() - upload.receivedMs,
  });
  const subject = (upload: IncomingUpload, principal: Principal) => ({
    requestId: upload.requestId,
    account: principal.accountNumber,
    orgId: principal.orgId,
  });
  return {
    /** The upload goes on without: the reference is silent about it, too, except at its debug level. */
    metadataDiscarded(upload: IncomingUpload, why: string): void {
      log.debug({ request_id: upload.requestId, error: why }, 'metadata discarded');
    },
    queryMetadataIgnored(upload: IncomingUpload): void {
      log.warn({ request_id: upload.requestId }, 'metadata in the URL is ignored; send it as a part of the form');
    },
    /** Hop 1. */
    uploadValidated(upload: IncomingUpload, principal: Principal, form: ReceivedForm): void {
      metrics.payloadSizes.observe({ useragent: agentOf(upload) }, form.sizeBytes);
      log.info(context(upload, principal, form), 'Payload received');
      statuses.report(subject(upload, principal), 'received', { text: 'Payload received by ingress' });
      telemetry.announce('upload-validated', {
        ...hop(upload, 1),
        sizeBytes: form.sizeBytes,
        service: form.type.service,
      });
    },
    /** Hop 2, first half. `stageMs`: from the end of the form. */
    archiveStored(upload: IncomingUpload, principal: Principal, stored: { form: ReceivedForm; stageMs: number }): void {
      metrics.stageSeconds.observe(stored.stageMs / 1000);
      const { type, sizeBytes } = stored.form;
      statuses.report(subject(upload, principal), 'success', { text: `Sent to validation service: ${type.service}` });
      telemetry.announce('archive-stored', { ...hop(upload, 2), sizeBytes });
    },
    stagingFailed(upload: IncomingUpload, principal: Principal, failure: { stageMs: number; error: unknown }): void {
      metrics.stageSeconds.observe(failure.stageMs / 1000);
      log.error({ request_id: upload.requestId, ...errorFields(failure.error) }, 'Error staging');
      statuses.report(subject(upload, principal), 'error', {
        text: `the archive could not be stored: ${errorCode(failure.error)}`,
      });
    },
    /** Hop 2, second half: the bus has it. */
    uploadAnnounced(upload: IncomingUpload, principal: Principal, form: ReceivedForm): void {
      metrics.messagesProduced.inc({ service: form.type.service });
      log.info(context(upload, principal, form), 'Payload sent to validation service');
      telemetry.announce('upload-announced', hop(upload, 2));
    },
    /** Hop 2, second half: it lies in the outbox, and goes out later. */
    uploadKept(upload: IncomingUpload, principal: Principal, form: ReceivedForm): void {
      metrics.messagesProduced.inc({ service: form.type.service });
      log.info(context(upload, principal, form), 'Payload accepted, its announcement waits for the bus');
    },
    announcingFailed(upload: IncomingUpload, principal: Principal, error: unknown): void {
      log.error({ request_id: upload.requestId, ...errorFields(error) }, 'Error publishing to kafka');
      statuses.report(subject(upload, principal), 'error', {
        text: `the archive could not be announced: ${errorCode(error)}`,
      });
    },
  };
}

function outboxEvents({ telemetry, metrics }: IngressEventsOptions) {
  const { log } = telemetry;
  return {
    announcementKept(requestId: string, why: string): void {
      metrics.announcementsKept.inc();
      log.warn({ request_id: requestId, error: why }, 'announcement put into the outbox');
      telemetry.announce('announcement-kept', { requestId });
    },
    /** Late, but as good as at once: hop 2 is done. */
    announcementRelayed(requestId: string, elapsedMs: number): void {
      metrics.announcementsRelayed.inc();
      log.info({ request_id: requestId, elapsed_ms: elapsedMs }, 'announcement sent from the outbox');
      telemetry.announce('announcement-relayed', { requestId });
      telemetry.announce('upload-announced', { requestId, hop: 2, elapsedMs });
    },
    announcementUnsendable(requestId: string, where: string, error: unknown): void {
      metrics.announcementsSetAside.inc();
      log.error(
        { request_id: requestId, object: where, ...errorFields(error) },
        'announcement cannot be sent and was set apart',
      );
      telemetry.announce('announcement-set-aside', { requestId, code: errorCode(error) });
    },
    orphansAdopted(count: number): void {
      log.info({ count }, 'announcements of an ingress that is gone are sent by this one');
    },
    relayFailed(error: unknown): void {
      log.warn(errorFields(error), 'the outbox cannot be sent yet');
    },
  };
}

export type IngressBusEvents = ReturnType<typeof createIngressBusEvents>;

/** Of each send. Apart from the others, which send status messages themselves. */
export function createIngressBusEvents({ telemetry, metrics }: Pick<IngressEventsOptions, 'telemetry' | 'metrics'>) {
  const { log } = telemetry;
  return {
    /** The function that comes back ends what has begun. */
    sendStarted(): () => void {
      metrics.sendsInFlight.inc();
      return () => metrics.sendsInFlight.dec();
    },
    recordsAcknowledged(topic: string, count: number, elapsedMs: number): void {
      metrics.kafkaProduced.inc({ topic }, count);
      metrics.publishSeconds.observe({ topic }, elapsedMs / 1000);
    },
    sendFailed(topic: string, count: number, error: unknown): void {
      metrics.kafkaFailures.inc({ topic }, count);
      log.warn({ topic, count, ...errorFields(error) }, 'Error publishing to kafka');
    },
  };
}

function clusterEvents({ telemetry }: IngressEventsOptions) {
  const { log } = telemetry;
  return {
    /** The refusal itself is counted and logged like every other one. */
    clusterOfAnother(upload: IncomingUpload, { cluster, orgId, proof }: Claimant): void {
      log.warn(
        { request_id: upload.requestId, cluster, org_id: orgId, proof },
        'an organization uploads for a cluster of another one; if it is its own now: ccx clusters move',
      );
      telemetry.announce('cluster-of-another', { requestId: upload.requestId, cluster });
    },
    ownersAdopted(count: number): void {
      log.info({ count }, 'clusters belong to the organizations of their oldest reports');
    },
    ownersUnavailable(error: unknown): void {
      log.error(
        errorFields(error),
        'whose the clusters are cannot be looked up: uploads of clusters that are not known yet are answered 503',
      );
    },
    ownersAvailable(): void {
      log.info('whose the clusters are can be looked up again');
    },
  };
}

function sideEvents({ telemetry, metrics }: IngressEventsOptions) {
  const { log } = telemetry;
  return {
    serving(webUrl: string, metricsUrl: string): void {
      log.info({ web: webUrl, metrics: metricsUrl }, 'ingress takes uploads');
    },
    identityWarning(text: string): void {
      log.warn(text);
    },
    /** A link that the object store signs ends with the credentials that signed it. */
    linksLive({ lifeMs, settingMs }: { readonly lifeMs: number; readonly settingMs: number }): void {
      const life = { links_live_seconds: Math.floor(lifeMs / 1_000), setting_seconds: Math.floor(settingMs / 1_000) };
      if (lifeMs >= settingMs) log.info(life, 'links to archives live as long as links.lifetime');
      else log.warn(life, 'links to archives end before links.lifetime: with the credentials that sign them');
    },
    /** Counted only: it happens when there is no time for writing. */
    connectionRefused(): void {
      metrics.connectionsRefused.inc();
    },
    connectionsLimited(limit: { wanted: number; taken: number; descriptorsMax: number }): void {
      log.warn(
        { connections: limit.taken, descriptors: limit.descriptorsMax },
        `web.connections_max is ${limit.wanted}, but this process may open ${limit.descriptorsMax} files, of which connections get ` +
          `half: raise the limit (ulimit -n, LimitNOFILE=) to ${2 * limit.wanted}, or lower web.connections_max`,
      );
    },
    settingIgnored(setting: string, why: string): void {
      log.warn({ setting }, why);
    },
    stopFailed(what: string, error: string): void {
      log.error({ what, error }, 'did not stop cleanly');
    },
    /** A bug, or a request that the server itself could not read. */
    requestFailed(requestId: string, error: unknown): void {
      log.error(
        { request_id: requestId, error: errorText(error), stack: error instanceof Error ? error.stack : undefined },
        'request failed',
      );
    },
    trackerUnavailable(requestId: string, error: unknown): void {
      log.warn({ request_id: requestId, ...errorFields(error) }, 'the payload tracker does not answer');
    },
    accountAsked(outcome: string): void {
      metrics.accountQuestions.inc({ outcome });
    },
    accountsAway(error: unknown): void {
      log.error(
        errorFields(error),
        'the accounts service cannot be asked: who brings a token that is not known yet is answered 503',
      );
    },
    accountsBack(): void {
      log.info('the accounts service answers again');
    },
    tokensLoaded(count: number): void {
      log.info({ count }, 'gateway tokens loaded');
    },
    tokensNotReloaded(error: unknown): void {
      log.error(errorFields(error), 'gateway tokens could not be read again; the ones from before stay');
    },
  };
}

/** The `useragent` label of metrics: programs, not versions and clusters. First rule that matches. Source: ingress.md A.10.1. */
export function userAgentLabel(userAgent: string): string {
  if (userAgent.includes('-operator')) return userAgent.split('/', 1)[0]!;
  if (userAgent.includes('Core')) {
    const match = /(insights-client\/[0-9.]+) \((Core [0-9.]+)/.exec(userAgent);
    if (match !== null) return `${match[1]} ${match[2]}`;
  }
  const client = userAgent.includes('insights-client') ? 'insights-client' : 'redhat-access-insights';
  return new RegExp(`${client}/[0-9.]+`).exec(userAgent)?.[0] ?? userAgent;
}
