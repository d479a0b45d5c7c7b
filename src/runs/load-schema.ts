import { z } from 'zod';
import { fromZero } from '../catalogue/schema-parts';
import type { Load } from './load';

const cores = 'a whole number of at least 1';

/** A {@link Load} in `run.json`, in a file of `results/` and in the metadata of a checkpoint. */
export const loadSchema: z.ZodType<Load> = z.looseObject(
  {
    wallSec: fromZero,
    cpuSec: fromZero,
    othersSec: z.exactOptional(fromZero),
    cores: z.int(cores).min(1, cores),
  },
  'an object of wallSec, cpuSec, othersSec, cores',
);
