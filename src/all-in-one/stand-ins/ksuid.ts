/** Ids in the form that Service Log gives its entries: 27 characters, base 62, sortable by the second they were made in. */
import type { Clock } from '../../platform/clock/clock.ts';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Seconds since 1970 at which KSUID time begins. */
const epochSeconds = 1_400_000_000;
const ksuidLength = 27;

/** 32 bits of time, then 128 bits from a UUID. */
export function createKsuid(clock: Clock): string {
  const seconds = BigInt(Math.floor(clock.now().getTime() / 1000) - epochSeconds);
  let value = (seconds << 128n) | BigInt(`0x${clock.uuid().replaceAll('-', '')}`);
  let text = '';
  for (let i = 0; i < ksuidLength; i += 1) {
    text = alphabet[Number(value % 62n)] + text;
    value /= 62n;
  }
  return text;
}
