/** `ccx rules new`: a rule that passes its own samples, to be changed into what is wanted; and the pack around it, where there is none. */
import { writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';
import { makeFolders } from '../../platform/files/make-folders.ts';

/**
 * Paths of the files that were written. Rejects with `RULE_KEY_INVALID`, `RULE_UNWRITABLE` where the folder takes no files, or `RULE_EXISTS`
 * rather than write over a file.
 */
export async function newRule(folder: string, key: string): Promise<readonly string[]> {
  if (!/^[A-Z][A-Z0-9_]{2,99}$/.test(key)) {
    throw new CcxError(`${key} cannot be the key of a rule`, {
      ...{ code: 'RULE_KEY_INVALID', category: 'input' },
      hint: 'write capitals, digits and underscores, such as BACKUP_TOO_OLD',
    });
  }
  const rule = join(folder, 'rules', `${key.toLowerCase()}.yaml`);
  await makeFolders(join(folder, 'rules')).catch((cause: unknown) => {
    throw unwritable(folder, cause);
  });
  const pack = join(folder, 'pack.yaml');
  const written: string[] = [];
  if (await writtenNew(pack, packText(basename(resolve(folder))))) written.push(pack);
  if (!(await writtenNew(rule, ruleText(key)))) {
    const options = { code: 'RULE_EXISTS', category: 'input' } as const;
    throw new CcxError(`there is a file already: ${rule}`, {
      ...options,
      hint: 'name another key, or change that file',
    });
  }
  return [...written, rule];
}

/** False where there is a file already. */
async function writtenNew(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o644 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw unwritable(path, error);
  }
}

function unwritable(path: string, cause: unknown): CcxError {
  const options = { code: 'RULE_UNWRITABLE', category: 'input', cause } as const;
  return new CcxError(`no rule can be written to ${path}`, {
    ...options,
    hint: 'name a folder that is there or can be made, and that you may write',
  });
}

function packText(folder: string): string {
  const name =
    folder
      .toLowerCase()
      .replaceAll(/[^a-z0-9_]+/g, '_')
      .slice(0, 40) || 'our_rules';
  return `name: ${/^\d+$/.test(name) ? `rules_${name}` : name}
version: '1.0'
owner: platform team
`;
}

function ruleText(key: string): string {
  return `key: ${key}
title: A node takes no new pods since it was cordoned
impact: Cluster Availability    # how bad it is; a wrong name is answered with the right ones
likelihood: 3                   # 1 low to 4 critical
tags: [openshift, service_availability]

# Which files of the archive the rule looks at, by the names that they have below. With "*" it is a list
# of files, without it one file. "name?" also runs where there is none: it is null then, or an empty list.
inputs:
  nodes: config/node/*.json

# CEL: fires where it is true. has(…) asks whether a member is there; a member that is not there is an
# error otherwise, and the rule counts as one that did not run.
when: nodes.exists(n, has(n.spec.unschedulable) && n.spec.unschedulable == true)

# What the texts may show, as pydata.<name>. CEL too.
details:
  names: nodes.filter(n, has(n.spec.unschedulable) && n.spec.unschedulable == true).map(n, n.metadata.name)

# What the owners of the cluster read.
reason: |
  {{?size(pydata.names) == 1}}This node takes{{??}}These nodes take{{?}} no new pods: {{~pydata.names :n :i}}{{?i > 0}}, {{?}}\`{{=n}}\`{{~}}.
resolution: |
  If nobody works on it any more: \`oc adm uncordon <node>\`.

# Archives on which it has to fire, and on which not: "ccx rules test" tries them.
samples:
  fires:
    config/node/a.json: { metadata: { name: a }, spec: { unschedulable: true } }
  silent:
    config/node/a.json: { metadata: { name: a }, spec: {} }
`;
}
