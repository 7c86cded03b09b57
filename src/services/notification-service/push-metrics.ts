/**
 * Pushes the metrics of a one-shot process to a Pushgateway, since nobody can scrape it: while it runs and, with retries, at its end. A
 * push that fails is a warning and never changes what the run did. Source: notification-service.md 12.3.
 */
import type { Registry } from 'prom-client';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { callHttp } from '../../platform/http/http-client.ts';
import type { PushSettings } from './config.ts';
import type { Events } from './telemetry.ts';

/** One push to the Pushgateway. */
const pushMsMax = 10_000;

export function startPushing(
  settings: PushSettings,
  how: { readonly registry: Registry; readonly clock: Clock; readonly events: Events; readonly signal: AbortSignal },
) {
  const push = async () => {
    const answer = await callHttp(pushUrl(settings), {
      method: 'PUT',
      headers: { 'Content-Type': how.registry.contentType, Authorization: `Basic ${settings.gatewayAuthToken}` },
      body: await how.registry.metrics(),
      deadlineMs: pushMsMax,
    });
    if (answer.status === 200 || answer.status === 202) return;
    throw new CcxError(`the Pushgateway answered with status ${answer.status}`, {
      code: 'PUSH_REFUSED',
      category: 'delivery',
      hint: 'check metrics.gateway_url and metrics.gateway_auth_token',
    });
  };
  const stop =
    settings.gatewayTimeBetweenPushMs > 0
      ? how.clock.every(settings.gatewayTimeBetweenPushMs, () =>
          push().catch((error: unknown) => how.events.metricsNotPushed(error)),
        )
      : () => undefined;
  return {
    stop,
    /** The last push, up to 1 + `retries` times. Never rejects. */
    async final() {
      const triesMax = settings.retryAfterMs > 0 ? 1 + settings.retries : 1;
      for (let tries = 1; tries <= triesMax; tries += 1) {
        try {
          await push();
          return;
        } catch (error) {
          how.events.metricsNotPushed(error);
        }
        if (tries < triesMax) await how.clock.sleep(settings.retryAfterMs, how.signal).catch(() => undefined);
      }
    },
  };
}

/** The gateway wants a job name with a slash base64-encoded, and says so in the path. */
function pushUrl(settings: PushSettings): string {
  const { gatewayUrl, jobName } = settings;
  const base = (gatewayUrl.includes('://') ? gatewayUrl : `http://${gatewayUrl}`).replace(/\/$/, '');
  const encoded = jobName.includes('/')
    ? `job@base64/${Buffer.from(jobName).toString('base64url')}`
    : `job/${encodeURIComponent(jobName)}`;
  return `${base}/metrics/${encoded}`;
}
