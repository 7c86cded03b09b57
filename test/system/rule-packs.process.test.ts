/**
 * A rule of one's own, step by step as docs/rules.md has it: from `new` to a notification in the running all-in-one, where a change counts
 * within seconds and one with a fault is told. The rule is the one of the page.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runCcx, startCcx } from '../support/ccx-process.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const waitMsMax = 120_000;
const page = readFileSync(new URL('../../docs/rules.md', import.meta.url), 'utf8');
const [, ruleOfThePage = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
const [, shownOutput = ''] = /\$ ccx rules test my-rules\n(.*?)\$/s.exec(page) ?? [];

describe('a rule of one’s own', { skip: whyNoInstallation() }, () => {
  test('is made, tried, and notified of by the running all-in-one; a change counts, and one with a fault is told', async () => {
    const folder = temporaryFolder();
    const pack = join(folder, 'my-rules');
    const file = join(pack, 'rules', 'without_our_proxy.yaml');
    assert.equal((await runCcx(['rules', 'new', pack, 'WITHOUT_OUR_PROXY'])).code, 0);
    writeFileSync(file, ruleOfThePage);
    const tested = await runCcx(['rules', 'test', pack]);
    assert.deepEqual([tested.code, tested.stdout], [0, shownOutput]);

    const env = { CCX_DATA_PIPELINE__RULES__PACKS: pack };
    const process = startCcx({ args: ['all-in-one', '--data', join(folder, 'data'), '--port', '0'], env });
    try {
      const [, upload = ''] = await process.waitForOutput(/uploads +(\S+)/, waitMsMax);
      const [, ready = ''] = await process.waitForOutput(/readiness +(\S+)/, waitMsMax);
      const report = async (seed: string) => {
        const { code, stderr } = await runCcx(['simulate', '--url', upload, '--findings', 'none', '--seed', seed]);
        assert.equal(code, 0, stderr);
      };
      await report('1');
      await process.waitForOutput(/decided +WITHOUT_OUR_PROXY for service-log: new/, waitMsMax);
      await process.waitForOutput(/notification arrived +notification-backend/, waitMsMax);
      await process.waitForOutput(/notification arrived +service-log/, waitMsMax);

      writeFileSync(file, ruleOfThePage.replace('impact: Compliance Error', 'impact: Complience Error'));
      const notes = async () => ((await (await fetch(ready)).json()) as { notes?: string[] }).notes ?? [];
      await until(async () => (await notes()).some((note) => /data-pipeline: .*RULE_PACK_INVALID/.test(note)));

      // Another key is another rule: the next cluster is told of that one.
      writeFileSync(file, ruleOfThePage.replace('WITHOUT_OUR_PROXY', 'PROXY_RENAMED'));
      await until(async () => (await notes()).length === 0);
      await report('2');
      await process.waitForOutput(/decided +PROXY_RENAMED for notification-backend: new/, waitMsMax);
    } finally {
      process.kill('SIGTERM');
      await process.exited(waitMsMax);
    }
  });
});
