/** Rule content from a content service in gob, and from a folder; failures carry one code (notification-service.md 6). */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import { contentOf, defaultRisks } from '../../../test/support/notification-content.ts';
import { listening } from '../../../test/support/test-server.ts';
import { encodeRuleContent } from '../../contracts/rule-content-gob.ts';
import { createFolderContent } from '../../rules/content/folder-content.ts';
import { createServerContent } from './server-content.ts';

async function serving<T>(
  answer: (response: ServerResponse) => void,
  use: (address: string) => Promise<T>,
): Promise<T> {
  const { port, close } = await listening(createServer((_request, response) => answer(response)));
  try {
    return await use(`127.0.0.1:${port}`);
  } finally {
    close();
  }
}

test('content is fetched and decoded, with and without a scheme in the address', async () => {
  const content = contentOf(defaultRisks);
  await serving(
    (response) => response.end(encodeRuleContent(content)),
    async (address) => {
      for (const server of [address, `http://${address}`]) {
        const loaded = await createServerContent({ server, endpoint: '/api/v1/content' }).load();
        assert.deepEqual(Object.keys(loaded.rules), ['test_rule']);
        assert.equal(loaded.rules['test_rule']!.error_keys['CRITICAL']!.metadata.impact.impact, 4);
      }
    },
  );
});

test('service Q27, G9: an error page, a wrong body, or nobody there is content that is not available', async () => {
  const unavailable = { code: 'CONTENT_UNAVAILABLE', retryable: true };
  await serving(
    (response) => response.writeHead(404).end(encodeRuleContent(contentOf(defaultRisks))),
    (server) => assert.rejects(createServerContent({ server, endpoint: '' }).load(), unavailable),
  );
  await serving(
    (response) => response.end('<html>'),
    (server) =>
      assert.rejects(createServerContent({ server, endpoint: '', settings: ['a.server', 'a.path'] }).load(), {
        ...unavailable,
        hint: /a\.server and a\.path/,
      }),
  );
  const gone = await serving(
    (response) => response.end(),
    async (address) => address,
  );
  await assert.rejects(createServerContent({ server: gone, endpoint: '' }).load(), unavailable);
  await assert.rejects(createFolderContent({ folder: '/nonexistent', setting: 'dependencies.content_folder' }).load(), {
    code: 'CONTENT_UNAVAILABLE',
    hint: /dependencies\.content_folder/,
  });
});

const genuine = new URL('../../../../shared/data/content/content-service-response.gob', import.meta.url);

test('the answer of the hosted content service is read', {
  skip: existsSync(genuine) ? false : 'the shared data is not beside the repository',
}, async () => {
  const body = readFileSync(genuine);
  await serving(
    (response) => response.end(body),
    async (server) => {
      const loaded = await createServerContent({ server, endpoint: '/api/v1/content' }).load();
      assert.deepEqual(Object.keys(loaded.rules['test_rule']!.error_keys).length, 4);
    },
  );
});
