/**
 * The gateway in front of what we serve, as a part of the process: the authenticator, made from the settings that say who is believed. Opened by every service that clusters, hubs and people call, so that one token means the same to all of them.
 */
import type { Clock } from '../clock/clock.ts';
import { type Authenticator, createAuthenticator, type OwnToken } from './authenticator.ts';
import { openTokenFile, type TokenFileEvents, type TokenTable } from './token-table.ts';

interface GatewaySettings {
  readonly authEnabled: boolean;
  /** Empty: there is a gateway in front, whose identity header is believed. */
  readonly tokensFile: string;
  readonly trustIdentityHeader: boolean;
  readonly ownToken?: OwnToken | undefined;
}

interface Gateway {
  readonly authenticator: Authenticator;
  /** Undefined without a token file. */
  readonly tokens: TokenTable | undefined;
  close(): void;
}

/** Rejects with `TOKENS_UNREADABLE`, `TOKENS_INVALID`. */
export async function openGateway(
  settings: GatewaySettings,
  { clock, events }: { readonly clock: Clock; readonly events: TokenFileEvents },
): Promise<Gateway> {
  const tokens =
    settings.tokensFile === '' ? undefined : await openTokenFile({ path: settings.tokensFile, clock, ...events });
  return {
    authenticator: createAuthenticator({ ...settings, tokens }),
    tokens,
    close: () => tokens?.close(),
  };
}
