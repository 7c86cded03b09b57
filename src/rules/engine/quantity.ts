/** Kubernetes resource quantities (`7500m`, `16409932Ki`, `2e9`) as numbers of their base unit: cores, bytes. */

/** A quantity is a number and a unit; more is none, and is not looked at. */
const quantityCharactersMax = 64;
const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Undefined when the text is no quantity. */
export function parseQuantity(text: string): number | undefined {
  if (text.length > quantityCharactersMax) return undefined;
  const match = /^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]) * (match[2] === undefined ? factors[match[3] ?? '']! : 10 ** Number(match[2]));
  return Number.isFinite(value) ? value : undefined;
}
