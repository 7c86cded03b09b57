/** Token files of the gateway, and uploads as an operator with a token makes them. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { BOUNDARY, type Exchange, filePart, form, type IngressBench, send } from './ingress-bench.ts';

export const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
export const otherCluster = '84ef291d-8f1b-4d28-ab34-cfddff941b85';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export const agent = (id: string) => `insights-operator/4.19.0-abc cluster/${id}`;

export const by = (token: string, id = cluster) => ({ authorization: `Bearer ${token}`, 'user-agent': agent(id) });

/** A file that is removed after the test; text stays as it is. */
export async function tokensFile(t: TestContext, document: unknown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-tokens-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'tokens.json');
  await writeFile(path, typeof document === 'string' ? document : JSON.stringify(document));
  return path;
}

export async function post(
  { ingress }: { readonly ingress: Pick<IngressBench['ingress'], 'uploadUrl'> },
  headers: Readonly<Record<string, string>>,
  body = form([filePart('x')]),
  query = '',
): Promise<Exchange> {
  return await send(`${ingress.uploadUrl}${query}`, {
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...headers },
    body,
  });
}
