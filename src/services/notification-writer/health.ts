/** What keeps the writer from doing its work at the moment, for readiness. Written by the intake, read by the service. */
import { type CcxError, errorText } from '../../contracts/ccx-error.ts';
import type { Readiness } from '../../platform/lifecycle/running-service.ts';

export class Health {
  readonly #problems = new Map<string, CcxError>();

  /** Undefined: this part works again. */
  report(part: 'database' | 'bus', error: CcxError | undefined): void {
    if (error === undefined) this.#problems.delete(part);
    else this.#problems.set(part, error);
  }

  readiness(): Readiness {
    const reasons = [...this.#problems].map(([part, error]) => `${part}: ${errorText(error)} [${error.code}]`);
    return { ready: reasons.length === 0, reasons };
  }
}
