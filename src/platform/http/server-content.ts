/**
 * Rule content from a content service, in gob as the hosted one sends it. One bounded request; anything but success is a failure, where
 * the reference looks at the body only. Keeping the last good content is the caller's: the services that need content. Source: notification-service.md 6.1, 17.27.
 */
import type { RuleContentDirectory } from '../../contracts/rule-content.ts';
import { decodeRuleContent } from '../../contracts/rule-content-gob.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { callHttp } from './http-client.ts';

/** One answer of the content service. */
const contentMsMax = 10_000;
const contentBytesMax = 64 * 1024 * 1024;

export function createServerContent(options: {
  /** `dependencies.content_server`, e.g. `localhost:8082`; `http://` is added unless it starts with `http`. */
  readonly server: string;
  /** `dependencies.content_endpoint`, appended as it is. */
  readonly endpoint: string;
  /** What both are called, for the hint of errors, where it is not that. */
  readonly settings?: readonly [server: string, endpoint: string];
}): { load(): Promise<RuleContentDirectory> } {
  const settings = options.settings ?? ['dependencies.content_server', 'dependencies.content_endpoint'];
  const address = `${options.server}${options.endpoint}`;
  const url = address.startsWith('http') ? address : `http://${address}`;
  return {
    async load() {
      try {
        const answer = await callHttp(url, {
          deadlineMs: contentMsMax,
          answerBytesMax: contentBytesMax,
          followRedirects: true,
        });
        if (answer.status !== 200) throw new Error(`the content service answered with status ${answer.status}`);
        return decodeRuleContent(answer.body);
      } catch (cause) {
        throw new CcxError(`rule content is not available from ${options.server}`, {
          code: 'CONTENT_UNAVAILABLE',
          category: 'connection',
          retryable: true,
          cause,
          hint: `check ${settings.join(' and ')}, and that the content service runs`,
        });
      }
    },
  };
}
