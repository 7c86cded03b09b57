/**
 * A mail server of a test's own, by npm's `smtp-server`: keeps what it took, with its envelope and how it came, and answers what it is told
 * to. And `[[receivers]]` that write to it.
 */
import type { Socket } from 'node:net';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { firstCertificate } from './certificates.ts';
import { temporaryFile } from './temporary-folder.ts';
import { listening } from './test-server.ts';

export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly user: string | undefined;
  /** As the server was greeted. */
  readonly greeting: string;
  /** Of the connection over which it came. */
  readonly connection: string;
  readonly raw: string;
  readonly mail: ParsedMail;
}

interface MailServerOptions {
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** TLS from the beginning. */
  readonly secure?: boolean;
  /** It cannot do STARTTLS. */
  readonly isPlain?: boolean;
  /** Nobody may send without a login. */
  readonly password?: string;
}

/** What a step answers: 0 ends the connection, undefined takes it. */
type Answer = { readonly status: number; readonly text?: string } | undefined;

export const mailUser = 'ccx';

/** Stopped by `close`. */
export async function startMailServer(options: MailServerOptions = {}) {
  const { certificate = firstCertificate, secure = false, isPlain = false, password } = options;
  const sockets = new Map<string, Socket>();
  const server = {
    taken: [] as TakenMail[],
    logins: [] as string[],
    answerLogin: (): Answer => undefined,
    answerSender: (_address: string): Answer => undefined,
    answerRecipient: (_address: string): Answer => undefined,
    /** After the whole mail was taken: 0 loses the answer. */
    answerMail: (_mail: TakenMail): Answer => undefined,
    port: 0,
    async close(): Promise<void> {},
  };
  const reply = (answer: Answer, session: { id: string }, done: (error?: Error) => void) => {
    if (answer?.status === 0) return void sockets.get(session.id)?.destroy();
    if (answer === undefined) return done();
    done(Object.assign(new Error(answer.text ?? 'as the test wants it'), { responseCode: answer.status }));
  };
  const smtp = new SMTPServer({
    ...certificate,
    secure,
    logger: false,
    hideSTARTTLS: isPlain,
    disabledCommands: [...(isPlain ? ['STARTTLS' as const] : []), ...(password === undefined ? ['AUTH' as const] : [])],
    authOptional: password === undefined,
    disableReverseLookup: true,
    closeTimeout: 1,
    onAuth({ username, password: given }, session, done) {
      server.logins.push(`${username}:${given}`);
      const answer = server.answerLogin();
      if (answer !== undefined) return reply(answer, session, (error) => done(error ?? null));
      if (username === mailUser && given === password) return done(null, { user: username });
      done(Object.assign(new Error('5.7.8 authentication failed'), { responseCode: 535 }));
    },
    onMailFrom: ({ address }, session, done) => reply(server.answerSender(address), session, done),
    onRcptTo: ({ address }, session, done) => reply(server.answerRecipient(address), session, done),
    async onData(stream, session, done) {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      const raw = Buffer.concat(chunks);
      const { mailFrom, rcptTo } = session.envelope;
      const one: TakenMail = {
        from: mailFrom === false ? '' : mailFrom.address,
        to: rcptTo.map(({ address }) => address),
        secure: session.secure,
        user: session.user as string | undefined,
        greeting: String(session.hostNameAppearsAs),
        connection: session.id,
        raw: raw.toString('latin1'),
        mail: await simpleParser(raw),
      };
      const answer = server.answerMail(one);
      if (answer === undefined || answer.status === 0) server.taken.push(one);
      reply(answer, session, done);
    },
  });
  smtp.on('error', () => undefined);
  smtp.on('connect', ({ id }: { readonly id: string }) => {
    const connection = [...smtp.connections].find((candidate) => candidate.id === id);
    if (connection !== undefined) sockets.set(id, (connection as unknown as { readonly _socket: Socket })._socket);
  });
  const { port } = await listening(smtp.server);
  server.port = port;
  server.close = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    smtp.close(() => resolve());
    for (const { _socket } of smtp.connections as unknown as Iterable<{ readonly _socket: Socket }>) _socket.destroy();
    return promise;
  };
  return server;
}

export type MailServer = Awaited<ReturnType<typeof startMailServer>>;

/** A receiver called `ops`, which writes to Ada, with a cooldown of a day and no rate. */
export function emailEntry(
  { port }: Pick<MailServer, 'port'>,
  changes: Readonly<Record<string, string | number | boolean | readonly string[]>> = {},
) {
  return {
    ...{ name: 'ops', type: 'email', to: ['Ada <ada@example.com>'], from: 'CCX <ccx@example.org>' },
    ...{ smtp_host: '127.0.0.1', smtp_port: port, rate: 0, cooldown: '24h' },
    ca_file: temporaryFile('ca.crt', firstCertificate.cert),
    ...changes,
  };
}
