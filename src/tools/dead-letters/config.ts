/** Settings of `ccx dead-letters`: which bus the dead letters lie on. The database is named on the command line like for every tool. */
import { busOptions } from '../../platform/bus/bus-options.ts';
import { defineOptions } from '../../platform/config/options.ts';

export const deadLettersOptions = defineOptions({
  name: 'dead-letters',
  envPrefix: 'CCX_DEAD_LETTERS',
  options: { ...busOptions },
});
