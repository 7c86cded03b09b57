/**
 * Target 2, OCM Service Log: one entry per issue, posted once. The notification's id is the entry's `event_stream_id`, by which an entry
 * is found again when an answer was lost.
 */

import { parseServiceLogEntry, serialiseServiceLogEntry } from '../../../../contracts/service-log-entry.ts';
import { TARGET_SERVICE_LOG } from '../../../../contracts/tables.ts';
import type { Telemetry } from '../../../../platform/telemetry/telemetry.ts';
import type { Target } from '../../ports.ts';
import { composeEntries, composeResolvedEntry, createTargetEvents, type EntrySettings } from './compose-entries.ts';
import { deliverEntry } from './deliver-entry.ts';
import { createNativeRenderer } from './rendering/native-renderer.ts';
import { createRemoteRenderer } from './rendering/remote-renderer.ts';
import { createServiceLogApi } from './service-log-api.ts';
import { createTokenSource, TOKEN_URL_DEFAULT, type TokenSourceOptions } from './tokens.ts';

/** One Service Log call, unless the configuration says otherwise; the reference's shipped value. */
const serviceLogCallMsDefault = 15_000;

export interface ServiceLogTargetSettings extends EntrySettings {
  readonly url: string;
  /** Empty: the hosted sign-on server. */
  readonly tokenUrl: string;
  /** One call; 0 or less is the default. */
  readonly timeoutMs: number;
  /** From `templateRendererUrl`; absent: texts are rendered here, in child processes. */
  readonly rendererUrl?: string;
}

export function createServiceLogTarget(
  settings: ServiceLogTargetSettings,
  dependencies: Omit<TokenSourceOptions, 'tokenUrl'> & { readonly telemetry: Telemetry },
): Target {
  const { clock, telemetry } = dependencies;
  const tokens = createTokenSource({ ...dependencies, tokenUrl: settings.tokenUrl || TOKEN_URL_DEFAULT });
  const renderer =
    settings.rendererUrl === undefined
      ? createNativeRenderer({ clock, telemetry })
      : createRemoteRenderer({ url: settings.rendererUrl });
  const events = createTargetEvents(telemetry);
  const timeoutMs = settings.timeoutMs > 0 ? settings.timeoutMs : serviceLogCallMsDefault;
  const api = createServiceLogApi({ url: settings.url, timeoutMs, tokens });
  return {
    name: 'service-log',
    eventTargetId: TARGET_SERVICE_LOG,
    // Whom an entry is mailed to is Service Log's to know; a name it does not know is an answer about that cluster.
    hasRecipient: ({ cluster }) => cluster !== '',
    compose: (cluster, context) => composeEntries(cluster, context, { settings, renderer, events }),
    composeResolved: (resolved, context) => composeResolvedEntry(resolved, context, settings),
    reissue(notification, context) {
      const id = context.uuid();
      const body = serialiseServiceLogEntry({ ...parseServiceLogEntry(notification.body), event_stream_id: id });
      return { ...notification, id, body };
    },
    deliver: (attempt) => deliverEntry(attempt, { api, clock }),
    async check() {
      await tokens.token();
    },
    async isOver(pauseCode, { started }) {
      // It asked for the wait itself; and of a token service that is away the pause is short.
      if (pauseCode === 'SERVICE_LOG_LIMITED' || pauseCode === 'TOKEN_UNAVAILABLE') return false;
      if (pauseCode.startsWith('SERVICE_LOG_')) return started;
      return await tokens.token().then(
        () => true,
        () => false,
      );
    },
    async close() {
      tokens.close();
      await renderer.close();
    },
  };
}
