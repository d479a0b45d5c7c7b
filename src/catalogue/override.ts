import { z } from 'zod';
import { ExperimentError } from '../base/errors';
import type { OptimError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { checkNewtonSchulz } from '../optim/newton-schulz-range';
import { piecewiseLinear } from '../optim/schedule';
import type { Schedule } from '../optim/schedule';
import type { Experiment } from './experiment';
import { faultOf } from './fault';
import { fieldsIn, fieldsOf } from './fields';
import { stretchData, stretchOptim } from './scale';
import { trainedSchema } from './schema';
import type { Trained } from './schema';

type Json = { readonly [key: string]: unknown };

/**
 * An experiment with one value changed: `overridden(experiment, 'optim.lr', 0.6)`.
 *
 * The path starts with `net`, `loss`, `data`, `optim` or `run` and continues by keys, or by indices from 0 into lists. The value
 * is checked against the schema; `null` removes an optional value such as `optim.ema`. Two paths change more than one value:
 *
 * - `optim.lr` with a number: the whole schedule is scaled so that this becomes its peak. A schedule, `{ knots, vals }`,
 *   replaces it.
 * - `run.epochs`: schedules, image sizes and averages of the weights are stretched with the epochs, as in `scaled`.
 *
 * Overrides apply in order, and to the scale that the experiment already has. The new experiment lists them as `overrides`,
 * without the published figures of the old one.
 *
 * @throws ExperimentError if the path does not exist, naming the nearest one that does, or if the value does not fit
 * @example
 * ```ts
 * overridden(overridden(scaled(findExperiment('demo'), 'pocket'), 'optim.lr', 0.6), 'net.channels.prep', 32);
 * ```
 */
export function overridden(experiment: Experiment, path: string, value: unknown): Experiment {
  const {
    published: _published,
    overrides = [],
    net,
    loss,
    data,
    optim,
    run,
    ...about
  } = experiment;
  const before: Trained = { net, loss, data, optim, run };
  const known = fieldsOf(experiment).map((field) => field.path);
  if (!known.includes(path)) throw noPath(experiment, path, known);
  const isPeak = path === 'optim.lr' && typeof value === 'number';
  const changed = checked(
    replaced(before, path.split('.'), isPeak ? rescaled(optim.lr, value) : value),
  );
  return {
    ...about,
    ...changed,
    data: stretchData(changed.data, changed.run.epochs / run.epochs),
    optim: stretchOptim(changed.optim, changed.run.epochs / run.epochs),
    overrides: [...overrides, `${path}=${JSON.stringify(value)}`],
  };
}

/**
 * Parses an override from the command line, `optim.lr=0.6`: the value is JSON, or else a string.
 *
 * @throws ExperimentError if there is no path, or no value
 */
export function parseOverride(text: string): { readonly path: string; readonly value: unknown } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) {
    throw new ExperimentError(`override "${text}" is not PATH=VALUE. Write it as in optim.lr=0.6.`);
  }
  const value = text.slice(at + 1);
  try {
    return { path: text.slice(0, at), value: JSON.parse(value) as unknown };
  } catch {
    return { path: text.slice(0, at), value };
  }
}

/** The error for a path that an experiment does not have. */
function noPath(
  { name, net }: Experiment,
  path: string,
  known: readonly string[],
): ExperimentError {
  if (path === 'net.model') {
    return new ExperimentError(
      `override: "net.model" of experiment "${name}" is ${net.model} and cannot be changed, because other ` +
        'networks have other fields. Train an experiment that has the network: "cifar10-fast list" names them.',
    );
  }
  const whole = known.find((each) => each.endsWith(`.${path}`));
  return new ExperimentError(
    `override: experiment "${name}" has no "${path}" to change.` +
      `${whole === undefined ? nearestHint(path, known) : ` Nearest: "${whole}".`} ` +
      `"cifar10-fast show ${name}" prints every path, its value and its meaning.`,
  );
}

/** A copy of a value with the part at a path replaced; `null` removes it. */
function replaced(value: unknown, [key, ...rest]: readonly string[], to: unknown): unknown {
  if (key === undefined) return to;
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) =>
      String(index) === key ? replaced(item, rest, to) : item,
    );
  }
  const { [key]: old, ...others } = (value ?? {}) as Json;
  const next = replaced(old, rest, to);
  return next === null ? others : { ...others, [key]: next };
}

/** The schedule, scaled so that its highest value is `peak`. */
function rescaled({ knots, vals }: Schedule, peak: number): Schedule {
  const highest = Math.max(...vals);
  if (!(highest > 0)) {
    throw new ExperimentError(
      'override: "optim.lr" is 0 at all times, so it cannot be rescaled. Give a schedule, as in ' +
        '{"knots":[0,5,24],"vals":[0,0.4,0]}.',
    );
  }
  return { knots, vals: vals.map((val) => (val === highest ? peak : (val * peak) / highest)) };
}

/** The changed experiment. @throws ExperimentError if it does not fit the schema */
function checked(changed: unknown): Trained {
  const found = z.safeParse(trainedSchema, changed);
  if (!found.success) {
    const keysOf = (where: string): string[] =>
      fieldsIn(trainedSchema, changed)
        .filter(({ path }) => path.startsWith(`${where}.`))
        .map(({ path }) => path.slice(where.length + 1))
        .filter((path) => !path.includes('.'));
    throw new ExperimentError(`override: ${faultOf(found.error.issues, changed, keysOf)}`);
  }
  const { lr, groups } = found.data.optim;
  refuseFaulty('optim.lr', () => piecewiseLinear(lr.knots, lr.vals));
  for (const [index, group] of groups.entries()) {
    const path = `optim.groups.${index}`;
    const { lr: own, muon } = group;
    if (own !== undefined) refuseFaulty(`${path}.lr`, () => piecewiseLinear(own.knots, own.vals));
    if (muon !== undefined) {
      refuseFaulty(`${path}.muon`, () => checkNewtonSchulz(muon.iterations, muon.coefficients));
    }
  }
  return found.data;
}

/** Names the path of a value in the error of a check. @throws ExperimentError if the check throws */
function refuseFaulty(path: string, check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    throw new ExperimentError(`override: "${path}": ${(cause as OptimError).message}`, { cause });
  }
}
