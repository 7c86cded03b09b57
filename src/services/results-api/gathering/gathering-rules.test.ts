/** What operators are told to gather: which document for which version, what is refused at the start, and that ours asks for enough. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { evaluateSample, sampleFiles, sampleNow } from '../../../../test/support/rule-samples.ts';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { allSamples } from '../../../rules/catalog/index-of-samples.ts';
import type { SampleFiles } from '../../../rules/catalog/sample.ts';
import type { GatheringDocument } from './gathering-document.ts';
import { openGatheringRules } from './gathering-rules.ts';

const alertRule = (name: string): GatheringDocument['conditional_gathering_rules'][number] => ({
  conditions: [{ type: 'alert_is_firing', alert: { name } }],
  gathering_functions: { containers_logs: { alert_name: name, tail_lines: 10 } },
});
const named = (version: string): GatheringDocument => ({
  version,
  conditional_gathering_rules: [alertRule('A')],
  container_logs: [],
});

/** Files by name; a value is written as JSON, a text as it is. */
function folderOf(files: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  return folder;
}

test('the last document whose version is not above the one asked for counts', async () => {
  const rules = await openGatheringRules(
    folderOf({
      'versions.json': [
        ['4.17.0-0', 'a.json'],
        ['4.18.2', 'b.json'],
        ['4.20.0', 'a.json'],
      ],
      'a.json': named('a'),
      'b.json': named('b'),
    }),
  );
  const chosen = (version: string) => {
    const choice = rules.choose(version);
    return choice.kind === 'document' ? choice.document.version : choice.kind;
  };
  assert.deepEqual(
    ['4.16.99', '4.17.0-rc.1', '4.17.0-0.nightly-2024-08-01-000000', '4.17.0', '4.18.1', '4.18.2', '4.19.9'].map(
      chosen,
    ),
    ['too-old', 'a', 'a', 'a', 'a', 'b', 'b'],
  );
  assert.deepEqual(['4.20.0-rc.1', '4.20.0', '5.0.0'].map(chosen), ['b', 'a', 'a']);
  for (const version of ['', '4.17', 'v4.17.0', '4.17.0.1', 'latest', '%s', '4.17.0-', '9'.repeat(300)])
    assert.equal(chosen(version), 'no-version', version);
  assert.equal(rules.oldest.version, 'a');
});

describe('a folder is refused, by file and member,', () => {
  const map = [['4.17.0', 'a.json']];
  const good = named('a');
  const rule = good.conditional_gathering_rules[0]!;
  const request = { namespace: 'openshift-etcd', pod_name_regex: '.*', messages: ['x'] };
  const withFunctions = (functions: object) => ({ ...rule, gathering_functions: functions });
  const document = (change: object) => ({ 'versions.json': map, 'a.json': { ...good, ...change } });
  const rules = (...list: readonly unknown[]) => document({ conditional_gathering_rules: list });
  const logs = (change: object) => document({ container_logs: [{ ...request, ...change }] });
  const { container_logs: _none, ...withoutLogs } = good;

  for (const [title, files, words] of [
    ['without a map', { 'a.json': good }, /versions\.json cannot be read/],
    ['with an empty map', { 'versions.json': [] }, /versions\.json is refused/],
    [
      'with a map out of order',
      { 'versions.json': [...map, ['4.16.0', 'a.json']], 'a.json': good },
      /4\.16\.0 does not/,
    ],
    ['with a version twice', { 'versions.json': [...map, ...map], 'a.json': good }, /4\.17\.0 does not/],
    ['with what is no version', { 'versions.json': [['4', 'a.json']], 'a.json': good }, /"4" is no version/],
    ['with a file that is not there', { 'versions.json': map }, /a\.json cannot be read/],
    ['with a file elsewhere', { 'versions.json': [['4.17.0', '../a.json']] }, /is no file of the folder/],
    ['with no JSON', { 'versions.json': map, 'a.json': '{' }, /a\.json is refused: it is not JSON/],
    ['with too large a file', { 'versions.json': map, 'a.json': ' '.repeat(1024 ** 2 + 1) }, /more than 1048576 bytes/],
    ['with a key of its own', document({ rules: [] }), /Unrecognized key: "rules"/],
    ['without container_logs', { 'versions.json': map, 'a.json': withoutLogs }, /container_logs: /],
    ['without rules', rules(), /conditional_gathering_rules: /],
    ['with a rule twice', rules(rule, structuredClone(rule)), /has one rule twice/],
    ['with 65 rules', rules(...Array.from({ length: 65 }, (_, index) => alertRule(`A${index}`))), /<=64/],
    [
      'with nine conditions',
      rules({ ...rule, conditions: 'abcdefghi'.split('').flatMap((name) => alertRule(name).conditions) }),
      /<=8/,
    ],
    ['with a condition of no kind', rules({ ...rule, conditions: [{ type: 'always' }] }), /conditions\.0/],
    ['without a function', rules(withFunctions({})), /at least one function/],
    ['with a function of its own', rules(withFunctions({ all_secrets: {} })), /Unrecognized key: "all_secrets"/],
    [
      "with an owner's namespace",
      rules(withFunctions({ logs_of_namespace: { namespace: 'shop', tail_lines: 1 } })),
      /openshift-…/,
    ],
    ['with too many lines', rules(withFunctions({ containers_logs: { alert_name: 'A', tail_lines: 4097 } })), /<=4096/],
    ["with logs of an owner's namespace", logs({ namespace: 'shop' }), /container_logs\.0\.namespace: .*kube-…/],
    ['with no messages', logs({ messages: [] }), /container_logs\.0\.messages/],
    ['with a message that is everything', logs({ messages: [''] }), /messages\.0/],
    ['with a pattern that is none', logs({ pod_name_regex: '(' }), /regular expression of Go/],
    ['with a pattern that only we know', logs({ messages: ['(?=x)'] }), /regular expression of Go/],
  ] as const) {
    test(title, async () => {
      await assert.rejects(openGatheringRules(folderOf(files)), (error: Error & { code?: string }) => {
        assert.match(error.code ?? '', /^GATHERING_(UNREADABLE|INVALID)$/);
        assert.match(error.message, words);
        return true;
      });
    });
  }

  test('but not at the limits', async () => {
    const functions = { cr_definition: { alert_name: 'A', group: 'a.b', version: 'v1', resource: 'things' } };
    const many = Array.from({ length: 63 }, (_, index) => alertRule(`A${index}`));
    const files = document({
      conditional_gathering_rules: [...many, { conditions: [], gathering_functions: functions }],
      container_logs: [{ ...request, namespace: 'kube-system', messages: ['(?i)x', '(?P<name>y)'], previous: true }],
    });
    assert.equal((await openGatheringRules(folderOf(files))).oldest.conditional_gathering_rules.length, 64);
  });
});

/** What the operator puts into an archive of logs that lie in a cluster, asked by a document. Source: ingress.md B.5. */
function asGathered(files: SampleFiles, { container_logs: requests }: GatheringDocument): SampleFiles {
  return Object.fromEntries(
    Object.entries(files).flatMap(([path, content]): [string, SampleFiles[string]][] => {
      const match = /^namespaces\/([^/]+)\/pods\/([^/]+)\/[^/]+\/current\.log$/.exec(path);
      if (match === null) return [[path, content]];
      const [, namespace, pod = ''] = match;
      const patterns = requests
        .filter((one) => one.namespace === namespace && new RegExp(one.pod_name_regex).test(pod))
        .flatMap(({ messages }) => messages);
      const lines = String(content)
        .split('\n')
        .filter((line) => patterns.some((pattern) => new RegExp(pattern).test(line)));
      return lines.length === 0 ? [] : [[path, `${lines.join('\n')}\n`]];
    }),
  );
}

test('ours leaves every rule that reads logs what it needs: each finding of a log is found in what is gathered', async () => {
  const { oldest } = await openGatheringRules('');
  let tried = 0;
  for (const { rule, fires } of allSamples) {
    for (const sample of Object.values(fires).flat()) {
      const files = sampleFiles(sample);
      const gathered = asGathered(files, oldest);
      if (Object.entries(files).every(([path, content]) => gathered[path] === content)) continue;
      tried += 1;
      const found = (from: SampleFiles) => evaluateSample([rule], from, sampleNow(sample)).report.reports;
      assert.deepEqual(found(gathered), found(files), `${rule.module}: ${sample.title}`);
      assert.equal(found(gathered).length, 1);
    }
  }
  assert.ok(tried >= 5, `only ${tried} findings come from logs`);
});
