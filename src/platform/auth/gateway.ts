/**
 * The gateway in front of what we serve, as a part of the process: the authenticator, made from the settings that say who is believed. Opened by every service that clusters, hubs and people call, so that one token means the same to all of them.
 */
import type { Clock } from '../clock/clock.ts';
import { type AccountsEvents, openAccountsService } from './accounts-service.ts';
import { type Authenticator, createAuthenticator, type OwnToken } from './authenticator.ts';
import { isOwnGateway } from './gateway-options.ts';
import { isLoopback } from './locality.ts';
import { openTokenFile, type TokenFileEvents, type TokenTable } from './token-table.ts';

interface GatewaySettings {
  readonly authEnabled: boolean;
  /** Empty, as the next one is: there is a gateway in front, whose identity header is believed. */
  readonly tokensFile: string;
  readonly accountsUrl: string;
  readonly accountsCaFile: string;
  readonly trustIdentityHeader: boolean;
  readonly ownToken?: OwnToken | undefined;
}

interface Gateway {
  readonly authenticator: Authenticator;
  /** Undefined where there is a gateway in front. */
  readonly tokens: TokenTable | undefined;
  /** One sentence about what keeps it from knowing tokens, for people. */
  trouble(): string | undefined;
  close(): void;
}

interface GatewayEvents extends TokenFileEvents {
  readonly accounts: AccountsEvents;
}

const noTokens: TokenTable = { find: () => undefined, boundTo: () => [] };

/** Rejects with `TOKENS_UNREADABLE`, `TOKENS_INVALID` and the codes of `openAccountsService`. */
export async function openGateway(
  settings: GatewaySettings,
  { clock, events }: { readonly clock: Clock; readonly events: GatewayEvents },
): Promise<Gateway> {
  const { tokensFile, accountsUrl, accountsCaFile } = settings;
  const accounts =
    accountsUrl === ''
      ? undefined
      : await openAccountsService({ url: accountsUrl, caFile: accountsCaFile, clock, events: events.accounts });
  const file = tokensFile === '' ? undefined : await openTokenFile({ path: tokensFile, clock, ...events });
  const tokens = file ?? (isOwnGateway(settings) ? noTokens : undefined);
  return {
    authenticator: createAuthenticator({ ...settings, tokens, accounts }),
    tokens,
    trouble: () => accounts?.trouble(),
    close: () => file?.close(),
  };
}

/**
 * What an administrator should know at every start of who is believed to be whom. `host`: the address that is listened on; `tokens`:
 * whether there are any.
 */
export function gatewayWarnings(facts: {
  readonly host: string;
  readonly tokens: boolean;
  readonly trustIdentityHeader: boolean;
}): readonly string[] {
  if (!facts.tokens) {
    if (isLoopback(facts.host)) return [];
    return [
      `${facts.host} is open to others and there is no token file: whoever connects can upload and read in the name of any organization; set gateway.tokens_file, or let nobody but a gateway connect`,
    ];
  }
  if (!facts.trustIdentityHeader) return [];
  return [
    'gateway.trust_identity_header is on: a request without a token is believed whatever its x-rh-identity says; let nobody but a gateway connect',
  ];
}
