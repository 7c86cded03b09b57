/** What keeps a service from doing its work at the moment, for its readiness. Written by whatever meets the problem and its end. */
import { type CcxError, errorText } from '../../contracts/ccx-error.ts';
import type { Readiness } from './running-service.ts';

/** What a service cannot work without. */
export type Need = 'database' | 'bus';

export class Health {
  readonly #problems = new Map<Need, CcxError>();

  /** Undefined: this part works again. */
  report(need: Need, error: CcxError | undefined): void {
    if (error === undefined) this.#problems.delete(need);
    else this.#problems.set(need, error);
  }

  readiness(): Readiness {
    const reasons = [...this.#problems].map(([need, error]) => `${need}: ${errorText(error)} [${error.code}]`);
    return { ready: reasons.length === 0, reasons };
  }
}
