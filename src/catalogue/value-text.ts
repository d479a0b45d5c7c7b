import type { Transform } from '../augment/transform';
import type { MuonOptions } from '../optim/muon';
import type { Group } from '../optim/optimiser';
import type { Schedule } from '../optim/schedule';
import type { SizeStage } from '../train/training';

/** The text of an experiment's value in one line, by its path; `undefined` if each of its parts gets a line. */
export function inWords(path: string, value: unknown): string | undefined {
  if (path === 'optim.lr') return scheduleText(value as Schedule);
  if (path === 'optim.groups')
    return (value as readonly Group[]).map(groupText).join('; ') || 'none';
  if (path === 'data.sizes') return (value as readonly SizeStage[]).map(stageText).join(' → ');
  if (path === 'data.transforms') return (value as readonly Transform[]).map(sized).join(', ');
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(plain).join(', ');
  return typeof value === 'object' && value !== null ? undefined : String(value);
}

/** `0 → 0.4 at 8 → 0 at 30`: the values, and the epochs at which they are reached. */
export function scheduleText({ knots, vals }: Schedule): string {
  return vals
    .map((val, index) => {
      const at = Number(knots[index].toPrecision(3));
      return `${Number(val.toPrecision(3))}${index === 0 && at === 0 ? '' : ` at ${at}`}`;
    })
    .join(' → ');
}

/** `28 pixels at 3`: a size, and the epoch in which it starts. */
function stageText({ from, size }: SizeStage): string {
  return `${size} pixels${from === 0 ? '' : ` at ${Number(from.toPrecision(3))}`}`;
}

/** `bias: rate x 64, decay x 0.015625`: the tensors of a group and what it overrides. */
function groupText(group: Group): string {
  const { includes, rule, lr, lrFactor, weightDecay, weightDecayFactor, momentum } = group;
  const { epochs, muon } = group;
  const rounded = (factor: number): number => Number(factor.toPrecision(4));
  const words = [
    ...(rule === undefined ? [] : [rule]),
    ...(lr === undefined ? [] : [`rate ${scheduleText(lr)}`]),
    ...(lrFactor === 1 ? [] : [`rate x ${rounded(lrFactor)}`]),
    ...(momentum === undefined ? [] : [`momentum ${momentum}`]),
    ...(weightDecay === undefined ? [] : [`decay ${rounded(weightDecay)}`]),
    ...(weightDecayFactor === 1 ? [] : [`decay x ${rounded(weightDecayFactor)}`]),
    ...(epochs === undefined ? [] : [`for ${rounded(epochs)} epochs`]),
    ...(muon === undefined ? [] : [muonText(muon)]),
  ];
  return `${includes}: ${words.join(', ') || 'no overrides'}`;
}

function muonText({ iterations, coefficients, rescale }: MuonOptions): string {
  const when =
    rescale === 'every-step'
      ? 'in every step'
      : `after ${rescale.first} to ${rescale.first + Math.floor(rescale.growth)} steps`;
  return `${iterations} iterations with ${coefficients.join(', ')}, kernels rescaled ${when}`;
}

/** `crop 32x32`, `flip-lr alternating`: the kind, its numbers and its flags that are true. */
function sized({ kind, ...rest }: Transform): string {
  const entries = Object.entries(rest) as [string, number | boolean][];
  const numbers = entries.flatMap(([, value]) => (typeof value === 'number' ? [value] : []));
  const flags = entries.flatMap(([key, value]) =>
    value === true ? [key.replace(/^is/, '').toLowerCase()] : [],
  );
  return [kind, ...(numbers.length === 0 ? [] : [numbers.join('x')]), ...flags].join(' ');
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
