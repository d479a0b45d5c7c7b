import { z } from 'zod';
import type { Experiment } from './experiment';
import { trainedSchema } from './schema';

/** A value of an experiment that `overridden` can change. */
export interface Field {
  /** As in `optim.lr` or `data.transforms.0.height`. */
  readonly path: string;
  /** Undefined for an optional value that the experiment does not have. */
  readonly value: unknown;
  /** A one-line description of the value; empty if there is none. */
  readonly meaning: string;
  /** As in `epochs` or `pixels`. */
  readonly unit?: string;
}

/**
 * Every value of an experiment that can be changed, including optional ones that it does not have; a container comes before its
 * parts. The model of the network is left out, because another model has other values.
 */
export function fieldsOf({ net, loss, data, optim, run }: Experiment): Field[] {
  const all = fieldsIn(trainedSchema, { net, loss, data, optim, run });
  return all.filter(({ path }) => path !== 'net.model');
}

/** Like {@link fieldsOf}, for any value and its schema. */
export function fieldsIn(schema: z.core.$ZodType, value: unknown, prefix = ''): Field[] {
  const known = alternative(schema, value);
  const parts: (readonly [key: string, part: z.core.$ZodType])[] =
    known instanceof z.ZodObject
      ? Object.entries<z.core.$ZodType>(known.shape)
      : Array.isArray(value)
        ? value.map((_, index) => [String(index), elementOf(known, index)])
        : [];
  return parts.flatMap(([key, part]) => {
    const path = prefix + key;
    const found = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
    const { description: meaning = '', unit } = z.globalRegistry.get(part) ?? {};
    return [
      { path, value: found, meaning, ...(typeof unit === 'string' ? { unit } : {}) },
      ...fieldsIn(part, found, `${path}.`),
    ];
  });
}

/** Unwraps an optional schema; of a union, picks the alternative with the fewest faults. */
function alternative(schema: z.core.$ZodType, value: unknown): z.core.$ZodType {
  if (schema instanceof z.ZodExactOptional) return alternative(schema.def.innerType, value);
  if (!(schema instanceof z.ZodUnion)) return schema;
  const faults = ({ error }: z.core.util.SafeParseResult<unknown>): number =>
    error?.issues.length ?? 0;
  return schema.def.options.reduce((best, option) =>
    faults(z.safeParse(option, value)) < faults(z.safeParse(best, value)) ? option : best,
  );
}

function elementOf(schema: z.core.$ZodType, index: number): z.core.$ZodType {
  return schema instanceof z.ZodTuple
    ? schema.def.items[index]
    : (schema as z.ZodArray).def.element;
}
