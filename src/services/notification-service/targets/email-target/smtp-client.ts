/**
 * Hands mails to one mail server, over connections that are kept for as long as there is more to send. What a failure tells is how far it
 * got: until the mail itself was asked for nothing can have arrived. TLS is never done without where it is asked for, and certificates,
 * authority and password are read anew for each connection.
 */
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { afterUnheld } from '../../../../platform/clock/unheld-timer.ts';
import type { SecretSource } from '../../../../platform/secrets/secret-source.ts';
import type { SmtpSettings } from '../../receivers/email-settings.ts';
import { readReceiverTls } from '../receiver-tls.ts';

/** A connection without work ends after this: servers count them, and the next run is a while away. */
const idleMsMax = 2_000;
/** Mails over one connection; servers have limits of their own, at a hundred often. */
const mailsOfConnectionMax = 50;

export interface Mail {
  readonly from: string;
  readonly to: string;
  /** As it goes over the wire, in ASCII. */
  readonly bytes: string;
}

/** How far it got. `handed-over`: the mail, or a part of it, was sent, and there is no answer to it. */
type SmtpStage = 'connection' | 'security' | 'login' | 'sender' | 'recipient' | 'mail' | 'handed-over';

export class SmtpFailure extends Error {
  readonly stage: SmtpStage;
  /** Of the server's answer; undefined where it gave none. */
  readonly status: number | undefined;
  /** The answer, or what went wrong instead. */
  readonly reason: string;

  constructor(stage: SmtpStage, { status, reason }: { status?: number | undefined; reason: string }, cause: unknown) {
    super(reason, { cause });
    this.name = 'SmtpFailure';
    this.stage = stage;
    this.status = status;
    this.reason = reason;
  }
}

interface SmtpClient {
  readonly address: string;
  /** Answers what the server says. Rejects with an `SmtpFailure`, and with a `CcxError` where a secret or a file cannot be read. */
  send(mail: Mail, signal: AbortSignal): Promise<string>;
  close(): void;
}

interface Session {
  readonly connection: SMTPConnection;
  mails: number;
  /** Set by whatever ends it while nobody waits for it. */
  ended: boolean;
  /** Of the wait in which it is. */
  uses: number;
}

export function createSmtpClient(settings: SmtpSettings, secrets: SecretSource): SmtpClient {
  const { host, port, login } = settings;
  const password = login === undefined ? undefined : secrets.secret(login.password);
  const idle: Session[] = [];

  const open = async (signal: AbortSignal): Promise<Session> => {
    const [tls, secret] = [
      { minVersion: 'TLSv1.2' as const, ...(await readReceiverTls(settings)) },
      await password?.value(),
    ];
    const connection = new SMTPConnection({
      ...{ host, port, tls, name: settings.greetsAs },
      secure: settings.security === 'tls',
      requireTLS: settings.security === 'starttls',
      ignoreTLS: settings.security === 'none',
      connectionTimeout: settings.timeoutMs,
      greetingTimeout: settings.timeoutMs,
      socketTimeout: settings.timeoutMs,
      dnsTimeout: settings.timeoutMs,
      socketCloseTimeout: 0,
    });
    const session: Session = { connection, mails: 0, ended: false, uses: 0 };
    connection.on('end', () => {
      session.ended = true;
    });
    // What comes while nobody waits for it must not end the process.
    connection.on('error', ignore);
    try {
      await ending(session, signal, (done) => connection.connect((error) => done(error ?? null)));
    } catch (error) {
      throw failureOf(error, wasTlsFailure(error) ? 'security' : 'connection');
    }
    if (login === undefined) return session;
    try {
      const auth = { user: login.username, pass: secret ?? '' };
      await ending(session, signal, (done) => connection.login(auth, (error) => done(error)));
    } catch (error) {
      throw failureOf(error, 'login');
    }
    return session;
  };

  const transfer = async (session: Session, { from, to, bytes }: Mail, signal: AbortSignal): Promise<string> => {
    // Read only once the server has asked for it.
    let asked = false;
    const message = Readable.from(
      (function* () {
        asked = true;
        yield Buffer.from(bytes, 'latin1');
      })(),
    );
    let answer = '';
    try {
      await ending(session, signal, (done) =>
        session.connection.send({ from, to, size: bytes.length }, message, (error, info) => {
          answer = info?.response ?? '';
          done(error);
        }),
      );
    } catch (error) {
      throw failureOf(error, asked ? 'handed-over' : stageOfCommand(error));
    }
    return answer;
  };

  const keep = (session: Session) => {
    session.mails += 1;
    if (session.ended || session.mails >= mailsOfConnectionMax) return session.connection.quit();
    session.uses += 1;
    const { uses } = session;
    idle.push(session);
    afterUnheld(idleMsMax, () => {
      const place = idle.indexOf(session);
      if (place < 0 || session.uses !== uses) return;
      idle.splice(place, 1);
      session.connection.quit();
    });
  };

  const take = (): Session | undefined => {
    for (;;) {
      const session = idle.pop();
      if (session === undefined || !session.ended) return session;
    }
  };

  return {
    address: `${settings.security === 'tls' ? 'smtps' : 'smtp'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async send(mail, signal) {
      const kept = take();
      if (kept !== undefined) {
        try {
          const answer = await transfer(kept, mail, signal);
          keep(kept);
          return answer;
        } catch (error) {
          kept.connection.close();
          // The server may have ended it in the meantime; what it says of the mail it would say again.
          if (!(error instanceof SmtpFailure) || error.status !== undefined || error.stage === 'handed-over')
            throw error;
          if (signal.aborted) throw error;
        }
      }
      const session = await open(signal);
      try {
        const answer = await transfer(session, mail, signal);
        keep(session);
        return answer;
      } catch (error) {
        session.connection.close();
        throw error;
      }
    },
    close() {
      for (const { connection } of idle.splice(0)) connection.close();
    },
  };
}

/** Ends with the step, with the connection, or with the signal, which closes the connection. */
async function ending(
  { connection }: Session,
  signal: AbortSignal,
  step: (done: (error: Error | null | undefined) => void) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(new Error('it was called off'));
  const onEnd = () => reject(new Error('the server closed the connection'));
  connection.on('error', reject);
  connection.on('end', onEnd);
  signal.addEventListener('abort', onAbort);
  try {
    if (signal.aborted) onAbort();
    else step((error) => (error ? reject(error) : resolve()));
    await promise;
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    connection.off('end', onEnd);
    connection.off('error', reject);
  }
}

function ignore(): void {}

interface SmtpError extends Error {
  readonly code?: string;
  readonly originalCode?: string;
  readonly command?: string;
  readonly response?: string;
  readonly responseCode?: number;
}

function wasTlsFailure(error: unknown): boolean {
  const { code, command, originalCode = '' } = error as SmtpError;
  return code === 'ETLS' || command === 'STARTTLS' || /^(ERR_(TLS|SSL)_|EPROTO$)/.test(originalCode);
}

function stageOfCommand(error: unknown): SmtpStage {
  const command = (error as SmtpError).command ?? '';
  if (command.startsWith('MAIL')) return 'sender';
  if (command.startsWith('RCPT')) return 'recipient';
  return command === 'DATA' ? 'mail' : 'connection';
}

/** Where the server answered, that counts, however far it got. */
function failureOf(error: unknown, stage: SmtpStage): SmtpFailure {
  const { responseCode, response, message } = error as SmtpError;
  const status = responseCode === undefined || Number.isNaN(responseCode) ? undefined : responseCode;
  const reached = stage === 'handed-over' && status !== undefined ? 'mail' : stage;
  return new SmtpFailure(reached, { status, reason: response ?? message }, error);
}
