/** Token files of the gateway, and uploads as an operator with a token makes them. */
import { createHash } from 'node:crypto';
import { BOUNDARY, type Exchange, filePart, form, type IngressBench, send } from './ingress-bench.ts';
import { temporaryFile } from './temporary-folder.ts';

export const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
export const otherCluster = '84ef291d-8f1b-4d28-ab34-cfddff941b85';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export const agent = (id: string) => `insights-operator/4.19.0-abc cluster/${id}`;

export const by = (token: string, id = cluster) => ({ authorization: `Bearer ${token}`, 'user-agent': agent(id) });

/** Text stays as it is. */
export function tokensFile(document: unknown): string {
  return temporaryFile('tokens.json', typeof document === 'string' ? document : JSON.stringify(document));
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
