/**
 * The login to a broker: the client library's mechanisms, with our own look at what the broker answers. Two things are kept from the
 * library. It logs in again on the same connection while requests go on, which brokers end with ILLEGAL_SASL_STATE, so it never hears
 * how long a login holds: `connections.ts` does, and replaces the connection in time. And it calls whatever ends a login a refusal; a
 * connection that died says nothing about a password.
 */
import {
  AuthenticationError,
  type Connection,
  ResponseError,
  type SASLOptions,
  saslOAuthBearer,
  saslPlain,
  saslScramSha,
} from '@platformatic/kafka';
import type { KafkaSasl } from './kafka-security.ts';

/** One request of the login. */
type Ask = Parameters<NonNullable<SASLOptions['authenticate']>>[2];
type LoginAnswer = Awaited<ReturnType<typeof saslPlain.authenticate>>;
type Done = (error: Error | null, answer?: LoginAnswer) => void;

/** `onAccepted` hears after how many milliseconds the broker wants another login; 0 is never. */
export function saslLogin(sasl: KafkaSasl, onAccepted: (lifetimeMs: number) => void): SASLOptions {
  return {
    mechanism: sasl.mechanism,
    authenticate: (_mechanism, connection, ask, _user, _password, _token, callback) => {
      let isOver = false;
      const done: Done = (error, answer) => {
        if (isOver) return;
        isOver = true;
        if (answer === undefined) {
          const isAnswer = error instanceof ResponseError;
          (callback as Done)(isAnswer ? new AuthenticationError('refused', { cause: error }) : error);
          return;
        }
        onAccepted(Number(answer.sessionLifetimeMs ?? 0n));
        (callback as Done)(error, { ...answer, sessionLifetimeMs: 0n });
      };
      logIn(sasl, connection, answersOnly(ask, done), done);
    },
    ...(sasl.mechanism === 'OAUTHBEARER' ? { authBytesValidator: checkTokenAnswer } : {}),
  };
}

function logIn(sasl: KafkaSasl, connection: Connection, ask: Ask, done: Done): void {
  switch (sasl.mechanism) {
    case 'PLAIN':
      saslPlain.authenticate(ask, connection, sasl.user, sasl.password, done);
      return;
    case 'OAUTHBEARER':
      saslOAuthBearer.authenticate(ask, connection, sasl.token, {}, done);
      return;
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512': {
      const digest = sasl.mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512';
      saslScramSha.authenticate(ask, connection, digest, sasl.user, sasl.password, saslScramSha.defaultCrypto, done);
    }
  }
}

/** Lets a mechanism hear what the broker answered; anything else ends the login as what it is. */
function answersOnly(ask: Ask, done: Done): Ask {
  const asking = (connection: Connection, bytes: Buffer, callback: Done): void => {
    ask(connection, bytes, (error: Error | null, answer?: LoginAnswer) => {
      if (error !== null && !(error instanceof ResponseError)) {
        done(error);
        return;
      }
      try {
        callback(error, answer);
      } catch (malformed) {
        // SCRAM throws at an answer that it cannot take apart; up from here is the socket, and the end of the process.
        done(new AuthenticationError(`the answer to the login cannot be read: ${String(malformed)}`));
      }
    });
  };
  return asking as unknown as Ask;
}

/**
 * A broker refuses a token with a success that says so in its text (RFC 7628); an accepted one has no text. The library's own check
 * calls back twice and lets the connection pass.
 */
function checkTokenAnswer(answer: Buffer, callback: (error: Error | null, answer?: Buffer) => void): void {
  if (answer.length === 0) callback(null, answer);
  else callback(new AuthenticationError(`the broker refused the token: ${answer.toString('utf8')}`));
}
