/** Keys of `[[receivers]]` that only an Alertmanager has. Part of `receiver-options.ts`; checked by `alertmanager-settings.ts`. */
import type { ListSpec } from '../../../platform/config/options.ts';

export const alertmanagerOptions = {
  interval: {
    type: 'duration',
    default: 60_000,
    min: 1_000,
    max: 3_600_000,
    description:
      'Of an alertmanager: pause between two rounds, each of which posts every active issue; it forgets them when it restarts',
  },
  resolve_after: {
    type: 'duration',
    default: 4 * 3_600_000,
    min: 10_000,
    max: 7 * 24 * 3_600_000,
    description:
      'Of an alertmanager: when it is to take alerts for resolved that nobody has posted again, at least ten intervals. While we are down for less, nobody is told that anything is resolved',
  },
} as const satisfies ListSpec['options'];

export const alertmanagerKeys = Object.keys(alertmanagerOptions) as readonly (keyof typeof alertmanagerOptions)[];
