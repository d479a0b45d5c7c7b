import { findExperiment } from '../catalogue/catalogue';
import { scales } from '../catalogue/experiment';
import type { Experiment } from '../catalogue/experiment';
import { scheduleText } from '../catalogue/value-text';
import { fieldsOf } from '../catalogue/fields';
import type { Field } from '../catalogue/fields';
import { defaultScale, scaled } from '../catalogue/scale';
import type { Schedule } from '../optim/schedule';
import { UsageError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { changeFlags, changesOf, withChanges } from './change-flags';
import { oneOf } from './flags';
import type { Command } from './flags';
import { publishedText } from './list';

/** `show`: prints the values of an experiment and their meaning. */
export const show: Command = {
  name: 'show',
  positionals: ['EXPERIMENT', '[PATH]'],
  flags: {
    scale: { value: 'SCALE', help: `${scales.join(', ')} (default: as in train)` },
    ...changeFlags,
    json: { help: 'one JSON object, for programs' },
  },
  examples: ['show demo', 'show demo optim', 'show fastest --scale smoke --set run.epochs=4'],
  run: (given) => {
    const [name, prefix] = given.positionals;
    const base = findExperiment(name);
    const scale = oneOf(given, 'scale', scales, defaultScale(base));
    const experiment = withChanges(scaled(base, scale), changesOf(given));
    const fields = fieldsAt(experiment, prefix);
    if (given.switches.has('json')) {
      const { title, published, overrides = [] } = experiment;
      process.stdout.write(
        `${JSON.stringify({ record: name, title, scale, overrides, published, fields })}\n`,
      );
      return Promise.resolve(0);
    }
    const { overrides = [] } = experiment;
    const changes = overrides.length === 0 ? '' : `, changed: ${overrides.join(', ')}`;
    process.stdout.write(
      `${name}: ${base.title}${publishedText(base.published)}\n` +
        `${scale} scale${changes}\n\n${fieldsText(fields)}\n\n` +
        `Change one with: npx cifar10-fast train ${name} --set PATH=VALUE\n`,
    );
    return Promise.resolve(0);
  },
};

/** The fields at a path and below it. Default: all. @throws UsageError if there is no such path */
function fieldsAt(experiment: Experiment, prefix: string | undefined): Field[] {
  const all = fieldsOf(experiment);
  if (prefix === undefined) return all;
  const found = all.filter(({ path }) => path === prefix || path.startsWith(`${prefix}.`));
  if (found.length > 0) return found;
  const paths = all.map(({ path }) => path);
  throw new UsageError(
    `show: experiment "${experiment.name}" has no "${prefix}".${nearestHint(prefix, paths)} ` +
      `"cifar10-fast show ${experiment.name}" prints every path.`,
  );
}

const widest = 34;

/** One line per field, in columns. */
function fieldsText(fields: readonly Field[]): string {
  const rows = fields.map(({ path, value, unit, meaning }) => {
    const text = valueText(value);
    return {
      path,
      value: unit === undefined || value === undefined ? text : `${text} ${unit}`,
      meaning,
    };
  });
  const width = (of: 'path' | 'value'): number =>
    Math.min(widest + 10, Math.max(...rows.map((row) => row[of].length)));
  return rows
    .map(({ path, value, meaning }) =>
      `${path.padEnd(width('path'))}  ${value.padEnd(width('value'))}  ${meaning}`.trimEnd(),
    )
    .join('\n');
}

/** A value on one line: long lists and objects are truncated, numbers have six digits. */
function valueText(value: unknown): string {
  if (value === undefined) return '-';
  if (typeof value === 'string') return value === '' ? '""' : value;
  const text = isSchedule(value)
    ? scheduleText(value)
    : JSON.stringify(value, (_, part: unknown) =>
        typeof part === 'number' ? Number(part.toPrecision(6)) : part,
      );
  return text.length <= widest ? text : `${text.slice(0, widest - 1)}…`;
}

function isSchedule(value: unknown): value is Schedule {
  return typeof value === 'object' && value !== null && 'knots' in value && 'vals' in value;
}
