/**
 * The API of one Alertmanager, as far as we use it: posting alerts, and reading back, as a stream, what is silenced. Knows neither the ledger
 * nor rounds. Source: Alertmanager, api/v2/openapi.yaml.
 */
import { STATUS_CODES } from 'node:http';
import {
  ALERT_SOURCE,
  parseSilence,
  parseSilencedAlert,
  type SilencedAlert,
} from '../../../../contracts/alertmanager.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { jsonArrayItems } from '../../../../encoding/json-array-items.ts';
import { callHttp, streamHttp } from '../../../../platform/http/http-client.ts';
import type { AlertMember, PostAnswer } from '../../ports.ts';
import { alertmanagerApi } from '../../receivers/alertmanager-settings.ts';
import type { HttpCaller } from '../http-receiver.ts';
import { asDeliveryFailure } from '../transport-failure.ts';

/** An answer to a post is nothing, or a sentence. */
const answerBytesMax = 64 * 1024;
/** Read back piece by piece: a bound for what would never end. */
const readBytesMax = 512 * 1024 * 1024;
/** One alert with its annotations is some 4 kB. */
const itemBytesMax = 256 * 1024;
/** A list takes as long as its server needs to write it. */
const readMsMax = 60_000;
const silencedPerPortion = 500;
/** Of the server's sentence. */
const detailCharsMax = 300;

const silencedQuery = `?filter=${encodeURIComponent(`source="${ALERT_SOURCE}"`)}&silenced=true&active=false&inhibited=false`;

export function createAlertMember(address: string, caller: HttpCaller): AlertMember {
  const base = caller.checked(address);
  const urlOf = (path: string, query = '') => `${alertmanagerApi(base, path)}${query}`;
  const read = async (url: string, take: (item: string) => Promise<void> | void, signal: AbortSignal) => {
    const call = await caller.call({ accept: 'application/json' });
    await streamHttp(
      url,
      { ...call, deadlineMs: readMsMax, answerBytesMax: readBytesMax, signal },
      async ({ status, chunks }) => {
        if (status !== 200) throw refusal(status, '');
        for await (const item of jsonArrayItems(chunks, itemBytesMax)) await take(item);
      },
    );
  };
  return {
    address: caller.addressOf(address),
    key: address,
    async post(alerts, signal) {
      try {
        const answer = await callHttp(urlOf('alerts'), {
          ...(await caller.call({ 'content-type': 'application/json' })),
          ...{ method: 'POST', body: JSON.stringify(alerts), answerBytesMax, signal },
        });
        return answerOf(answer.status, answer.body.toString('utf8'));
      } catch (thrown) {
        return { kind: 'failed', error: asDeliveryFailure(thrown, 'the receiver', 'RECEIVER_FAILED') };
      }
    },
    async readSilences(take, signal) {
      await read(
        urlOf('silences'),
        (item) => {
          const silence = parseSilence(item);
          if (silence?.status.state === 'active') take(silence);
        },
        signal,
      );
    },
    async readSilencedAlerts(take, signal) {
      let portion: SilencedAlert[] = [];
      await read(
        urlOf('alerts', silencedQuery),
        async (item) => {
          const alert = parseSilencedAlert(item);
          if (alert !== undefined) portion.push(alert);
          if (portion.length < silencedPerPortion) return;
          await take(portion);
          portion = [];
        },
        signal,
      );
      if (portion.length > 0) await take(portion);
    },
  };
}

/** Pure. 422 is what a proxy, or a later version, says of what it cannot read. */
function answerOf(status: number, body: string): PostAnswer {
  if (status >= 200 && status < 300) return { kind: 'taken' };
  if (status === 400 || status === 422) return { kind: 'refused', detail: sentenceOf(body) || `answered ${status}` };
  return { kind: 'failed', error: refusal(status, body) };
}

function refusal(status: number, body: string): CcxError {
  const phrase = STATUS_CODES[status];
  const said = sentenceOf(body);
  const isOurs = status >= 300 && status < 500 && status !== 408 && status !== 429;
  return new CcxError(
    `the receiver answers ${status}${phrase === undefined ? '' : ` ${phrase}`}${said === '' ? '' : `: ${said}`}`,
    {
      code: isOurs ? 'RECEIVER_REFUSED' : 'RECEIVER_UNAVAILABLE',
      category: 'delivery',
      retryable: true,
      ...(isOurs ? { hint: hintOf(status) } : {}),
    },
  );
}

function hintOf(status: number): string {
  if (status < 400) return 'redirects are not followed: change its url to where it leads';
  if (status === 401 || status === 403)
    return 'check its bearer_token: in OpenShift it needs a role that may create alerts (docs/receivers.md)';
  return 'check its url: what stands before /api/v2/alerts';
}

/** A line of what a server said. */
function sentenceOf(body: string): string {
  const line = body.replaceAll(/[\s\p{C}]+/gu, ' ').trim();
  return line.startsWith('<') ? '' : line.slice(0, detailCharsMax);
}
