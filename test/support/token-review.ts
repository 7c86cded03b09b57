/**
 * The one call of a Kubernetes API server that a Vault asks when somebody logs in with a pod's service account token: TokenReview, over
 * TLS. It knows the tokens that it gave out and has not taken back.
 */
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { makeCertificates } from '../../scripts/kafka/certificates.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { listening } from './test-server.ts';

const namespace = 'notifications';

export interface TokenReview {
  readonly url: string;
  /** PEM of the authority of its certificate. */
  readonly authority: string;
  /** A token of a pod with that service account in the namespace `notifications`. */
  issue(serviceAccount: string): string;
  /** As when the pod, or the account, is gone. */
  takeBack(token: string): void;
  close(): void;
}

export async function startTokenReview(): Promise<TokenReview> {
  const folder = temporaryFolder();
  makeCertificates(folder);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const accounts = new Map<string, string>();
  const server = createServer({ key: read('broker.key'), cert: read('broker-cert.pem') }, async (request, response) => {
    const { spec } = JSON.parse(await text(request)) as { readonly spec: { token: string; audiences?: string[] } };
    const account = accounts.get(spec.token);
    const status =
      account === undefined
        ? { authenticated: false, error: 'the token is not valid' }
        : {
            authenticated: true,
            user: {
              username: `system:serviceaccount:${namespace}:${account}`,
              uid: `uid-of-${account}`,
              groups: ['system:serviceaccounts'],
            },
            // A Vault refuses an answer that does not say for whom the token is.
            audiences: spec.audiences ?? ['vault'],
          };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec, status }));
  });
  const { port, close } = await listening(server);
  return {
    url: `https://127.0.0.1:${port}`,
    authority: read('ca.pem'),
    issue(account) {
      const seconds = Math.floor(Date.now() / 1000);
      const claims = {
        iss: 'https://kubernetes.default.svc',
        sub: `system:serviceaccount:${namespace}:${account}`,
        aud: ['vault'],
        ...{ iat: seconds, nbf: seconds, exp: seconds + 3_600 },
        'kubernetes.io': { namespace, serviceaccount: { name: account, uid: `uid-of-${account}` } },
        jti: randomUUID(),
      };
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
      const token = `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
      accounts.set(token, account);
      return token;
    },
    takeBack: (token) => void accounts.delete(token),
    close,
  };
}
