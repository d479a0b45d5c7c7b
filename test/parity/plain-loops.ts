import type { NetworkSpec, NodeEntry } from './fixture';

/**
 * The reference's training, rewritten from its formulas in float64 and plain loops, without any code of `src/`. It makes
 * fixtures that the reference lacks, and distinguishes rounding from a fault.
 */

/** A float64 tensor, row-major; images `[N,H,W,C]`, kernels `[kh,kw,cin,cout]`. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type PlainTensors = ReadonlyMap<string, Plain>;

/** The images and classes of one step. */
export interface PlainBatch {
  readonly input: Plain;
  readonly target: ArrayLike<number>;
}

/** A tensor of zeros, or of `value(index)`. */
export function plain(shape: readonly number[], value?: (index: number) => number): Plain {
  const data = new Float64Array(shape.reduce((product, extent) => product * extent, 1));
  if (value !== undefined) for (let i = 0; i < data.length; i++) data[i] = value(i);
  return { shape, data };
}

/** A node's value, and its backward pass: gradients with respect to its inputs and parameters. */
interface Made {
  readonly y: Plain;
  readonly back: (dy: Plain) => {
    readonly inputs: readonly (Plain | undefined)[];
    readonly parameters?: Readonly<Record<string, Plain>>;
  };
  readonly running?: Readonly<Record<string, Plain>>;
}

/**
 * Trains with the fixture's `spec` from `init` on `batches`, and returns every tensor that a fixture of this network holds,
 * evaluation included. `onValue` receives each node's value at each step.
 */
export function trainPlainly(
  spec: NetworkSpec,
  init: PlainTensors,
  batches: readonly PlainBatch[],
  evaluation: PlainBatch,
  onValue?: (step: number, node: NodeEntry, value: Plain) => void,
): Map<string, Plain> {
  const result = new Map<string, Plain>();
  for (const [name, value] of init) result.set(`init/${name}`, value);
  const state = new Map(init);
  const velocity = new Map<string, Plain>();
  const average = spec.ema === null ? undefined : new Map(init);

  for (const [index, batch] of batches.entries()) {
    const prefix = `step${index + 1}`;
    const run = evaluate(spec, state, batch, true, (node, value) =>
      onValue?.(index + 1, node, value),
    );
    keepBatch(result, prefix, batch);
    keepOutcome(result, prefix, run);
    const gradients = run.backward();
    for (const [name, value] of run.running) state.set(name, value);
    for (const [name, gradient] of gradients) {
      if (index === 0) result.set(`step1/grad/${name}`, gradient);
      move(spec, name, gradient, spec.lr_per_step[index], state, velocity);
    }
    if (index === 0) for (const [name, value] of state) result.set(`step1/param/${name}`, value);
    const { ema } = spec;
    if (ema !== null && (index % spec.schedule.steps_per_epoch) % ema.update_freq === 0) {
      const kept = ema.momentum ** ema.update_freq;
      for (const [name, { shape, data }] of average ?? []) {
        const now = dataOf(state, name);
        average?.set(
          name,
          plain(shape, (i) => kept * data[i] + (1 - kept) * now[i]),
        );
      }
    }
  }
  for (const [name, value] of state) result.set(`final/${name}`, value);
  for (const [name, value] of average ?? []) result.set(`ema/${name}`, value);

  const judged = average ?? state;
  keepBatch(result, 'eval', evaluation);
  const once = evaluate(spec, judged, evaluation, false);
  keepOutcome(result, 'eval', once);
  const mirrored = evaluate(
    spec,
    judged,
    { ...evaluation, input: mirror(evaluation.input) },
    false,
  );
  const logits = plain(
    once.logits.shape,
    (i) => (once.logits.data[i] + mirrored.logits.data[i]) / 2,
  );
  keepOutcome(result, 'tta', { logits, ...lossOf(spec, logits, evaluation.target) });
  return result;
}

function keepBatch(
  result: Map<string, Plain>,
  prefix: string,
  { input, target }: PlainBatch,
): void {
  result.set(`${prefix}/input`, input);
  result.set(
    `${prefix}/target`,
    plain([target.length], (i) => target[i]),
  );
}

function keepOutcome(
  result: Map<string, Plain>,
  prefix: string,
  { logits, loss, acc }: { readonly logits: Plain; readonly loss: Plain; readonly acc: Plain },
): void {
  result.set(`${prefix}/logits`, logits).set(`${prefix}/loss`, loss).set(`${prefix}/acc`, acc);
}

function move(
  spec: NetworkSpec,
  name: string,
  gradient: Plain,
  lrPerStep: number,
  state: Map<string, Plain>,
  velocity: Map<string, Plain>,
): void {
  const factor = name.includes('bias') ? (spec.bias_group_factor ?? 1) : 1;
  const lr = lrPerStep * factor;
  const decay = spec.weight_decay / factor;
  const w = dataOf(state, name);
  const v = velocity.get(name) ?? plain(gradient.shape);
  const d = gradient.data.map((g, i) => -lr * (g + decay * w[i]));
  const next = plain(gradient.shape, (i) => spec.momentum * v.data[i] + d[i]);
  velocity.set(name, next);
  state.set(
    name,
    plain(gradient.shape, (i) => w[i] + d[i] + spec.momentum * next.data[i]),
  );
}

/** One pass through the network and its loss; `backward` returns the gradients of the summed loss. */
function evaluate(
  spec: NetworkSpec,
  state: PlainTensors,
  batch: PlainBatch,
  isTraining: boolean,
  onValue?: (node: NodeEntry, value: Plain) => void,
): {
  readonly logits: Plain;
  readonly loss: Plain;
  readonly acc: Plain;
  readonly running: ReadonlyMap<string, Plain>;
  readonly backward: () => Map<string, Plain>;
} {
  const values = new Map<string, Plain>();
  const made = new Map<string, Made>();
  const running = new Map<string, Plain>();
  for (const node of spec.graph) {
    const parameter = (name: string): Plain | undefined => state.get(`${node.path}/${name}`);
    const inputs = node.inputs.map((input) => valueOf(values, input));
    const one: Made =
      node.type === 'Input'
        ? { y: batch.input, back: () => ({ inputs: [] }) }
        : layer(node, inputs, parameter, isTraining);
    values.set(node.path, one.y);
    made.set(node.path, one);
    onValue?.(node, one.y);
    for (const [name, value] of Object.entries(one.running ?? {})) {
      running.set(`${node.path}/${name}`, value);
    }
  }
  const output = spec.graph[spec.graph.length - 1].path;
  const logits = valueOf(values, output);
  const { loss, acc, gradient } = lossOf(spec, logits, batch.target);
  const backward = (): Map<string, Plain> => {
    const gradients = new Map([[output, gradient()]]);
    const found = new Map<string, Plain>();
    for (let index = spec.graph.length - 1; index >= 0; index--) {
      const node = spec.graph[index];
      const dy = gradients.get(node.path);
      const one = made.get(node.path);
      if (dy === undefined || one === undefined) continue;
      const { inputs, parameters = {} } = one.back(dy);
      for (const [place, dx] of inputs.entries()) {
        if (dx !== undefined) addTo(gradients, node.inputs[place], dx);
      }
      for (const [name, value] of Object.entries(parameters)) {
        if (node.params?.trainable?.[name] !== false) found.set(`${node.path}/${name}`, value);
      }
    }
    return found;
  };
  return { logits, loss, acc, running, backward };
}

function addTo(sums: Map<string, Plain>, name: string, more: Plain): void {
  const before = sums.get(name);
  sums.set(
    name,
    before === undefined ? more : plain(more.shape, (i) => before.data[i] + more.data[i]),
  );
}

/** Loss and accuracy of each example, and the gradient of the summed loss with respect to the logits. */
function lossOf(
  { loss_graph: nodes }: NetworkSpec,
  logits: Plain,
  target: ArrayLike<number>,
): { readonly loss: Plain; readonly acc: Plain; readonly gradient: () => Plain } {
  const [n, classes] = logits.shape;
  const { wx: alone, wy: smooth } = weightsOf(nodes);
  const probability = plain([n, classes]);
  const [loss, acc] = [plain([n]), plain([n])];
  for (let e = 0; e < n; e++) {
    const row = logits.data.subarray(e * classes, (e + 1) * classes);
    const largest = Math.max(...row);
    const total = row.reduce((sum, x) => sum + Math.exp(x - largest), 0);
    const logTotal = largest + Math.log(total);
    const meanLog = row.reduce((sum, x) => sum + (x - logTotal), 0) / classes;
    loss.data[e] = alone * (logTotal - row[target[e]]) - smooth * meanLog;
    acc.data[e] = row.indexOf(largest) === target[e] ? 1 : 0;
    row.forEach((x, c) => (probability.data[e * classes + c] = Math.exp(x - logTotal)));
  }
  return {
    loss,
    acc,
    gradient: () =>
      plain([n, classes], (i) => {
        const isTarget = target[Math.floor(i / classes)] === i % classes ? 1 : 0;
        const p = probability.data[i];
        return alone * (p - isTarget) + smooth * (p - 1 / classes);
      }),
  };
}

/** loss = wx cross entropy + wy KL to the uniform distribution. */
function weightsOf(nodes: readonly NodeEntry[]): { readonly wx: number; readonly wy: number } {
  const sum = nodes.find(({ type }) => type === 'AddWeighted');
  return sum === undefined
    ? { wx: 1, wy: 0 }
    : { wx: argument(sum, 'wx'), wy: argument(sum, 'wy') };
}

function layer(
  node: NodeEntry,
  inputs: readonly Plain[],
  parameter: (name: string) => Plain | undefined,
  isTraining: boolean,
): Made {
  const [x, other] = inputs;
  const needed = (name: string): Plain => {
    const value = parameter(name);
    if (value === undefined) throw new Error(`plain loops: no "${node.path}/${name}".`);
    return value;
  };
  switch (node.type) {
    case 'Conv2d':
      return convolution(
        x,
        needed('weight'),
        parameter('bias'),
        argument(node, 'stride', 1),
        argument(node, 'padding', 0),
      );
    case 'Linear': {
      const [n, cin] = x.shape;
      const weight = needed('weight');
      const kernel = { shape: [1, 1, ...weight.shape], data: weight.data };
      const pixels = { shape: [n, 1, 1, cin], data: x.data };
      const { y, back } = convolution(pixels, kernel, parameter('bias'), 1, 0);
      return {
        y: { shape: [n, weight.shape[1]], data: y.data },
        back: (dy) => {
          const { inputs, parameters } = back({ shape: y.shape, data: dy.data });
          return {
            inputs: [{ shape: x.shape, data: inputs[0].data }],
            parameters: {
              ...parameters,
              weight: { shape: weight.shape, data: parameters.weight.data },
            },
          };
        },
      };
    }
    case 'BatchNorm':
    case 'GhostBatchNorm':
      return normalisation(
        x,
        {
          weight: needed('weight'),
          bias: needed('bias'),
          mean: needed('running_mean'),
          variance: needed('running_var'),
        },
        node.params?.splits ?? 1,
        argument(node, 'eps'),
        argument(node, 'momentum'),
        isTraining,
      );
    case 'MaxPool2d':
    case 'AvgPool2d': {
      const size = argument(node, 'kernel_size');
      return pooling(x, size, argument(node, 'stride', size), node.type === 'MaxPool2d');
    }
    case 'ReLU':
      return pointwise(x, (t) => [Math.max(t, 0), t > 0 ? 1 : 0]);
    case 'CELU': {
      const alpha = argument(node, 'alpha');
      return pointwise(x, (t) =>
        t > 0 ? [t, 1] : [alpha * Math.expm1(t / alpha), Math.exp(t / alpha)],
      );
    }
    case 'Softplus': {
      const [beta, threshold] = [argument(node, 'beta', 1), argument(node, 'threshold', 20)];
      return pointwise(x, (t) =>
        beta * t > threshold
          ? [t, 1]
          : [Math.log1p(Math.exp(beta * t)) / beta, 1 / (1 + Math.exp(-beta * t))],
      );
    }
    case 'ShiftScaleReLU': {
      const scale = Math.sqrt(1 - 1 / Math.PI);
      return pointwise(x, (t) => [
        (Math.max(t, 0) - Math.sqrt(1 / Math.PI)) / scale,
        t > 0 ? 1 / scale : 0,
      ]);
    }
    case 'Identity':
      return { y: x, back: (dy) => ({ inputs: [dy] }) };
    case 'Flatten':
      return {
        y: { shape: [x.shape[0], x.data.length / x.shape[0]], data: x.data },
        back: (dy) => ({ inputs: [{ shape: x.shape, data: dy.data }] }),
      };
    case 'Mul': {
      const factor = node.params?.weight ?? NaN;
      return pointwise(x, (t) => [factor * t, factor]);
    }
    case 'Add':
      return {
        y: plain(x.shape, (i) => x.data[i] + other.data[i]),
        back: (dy) => ({ inputs: [dy, dy] }),
      };
    case 'Concat':
      return concatenation(inputs);
    default:
      throw new Error(`plain loops: "${node.path}" is a ${node.type}.`);
  }
}

/** `activation` returns value and derivative. */
function pointwise(x: Plain, activation: (t: number) => readonly [number, number]): Made {
  return {
    y: plain(x.shape, (i) => activation(x.data[i])[0]),
    back: (dy) => ({ inputs: [plain(x.shape, (i) => activation(x.data[i])[1] * dy.data[i])] }),
  };
}

function convolution(
  x: Plain,
  weight: Plain,
  bias: Plain | undefined,
  stride: number,
  padding: number,
): {
  readonly y: Plain;
  readonly back: (dy: Plain) => {
    readonly inputs: readonly [Plain];
    readonly parameters: { readonly weight: Plain; readonly bias?: Plain };
  };
} {
  const [n, h, w, cin] = x.shape;
  const [kh, kw, , cout] = weight.shape;
  const rows = Math.floor((h + 2 * padding - kh) / stride) + 1;
  const columns = Math.floor((w + 2 * padding - kw) / stride) + 1;
  /** Calls `visit` for each pair of output and input pixel that a kernel position connects. */
  const walk = (visit: (out: number, from: number, kernel: number) => void): void => {
    for (let e = 0; e < n; e++)
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          for (let di = 0; di < kh; di++)
            for (let dj = 0; dj < kw; dj++) {
              const [y0, x0] = [i * stride + di - padding, j * stride + dj - padding];
              if (y0 < 0 || y0 >= h || x0 < 0 || x0 >= w) continue;
              visit(
                ((e * rows + i) * columns + j) * cout,
                ((e * h + y0) * w + x0) * cin,
                (di * kw + dj) * cin * cout,
              );
            }
  };
  const y = plain([n, rows, columns, cout], (i) => bias?.data[i % cout] ?? 0);
  walk((out, from, kernel) => {
    for (let a = 0; a < cin; a++)
      for (let b = 0; b < cout; b++)
        y.data[out + b] += x.data[from + a] * weight.data[kernel + a * cout + b];
  });
  return {
    y,
    back: (dy) => {
      const [dx, dWeight] = [plain(x.shape), plain(weight.shape)];
      walk((out, from, kernel) => {
        for (let a = 0; a < cin; a++)
          for (let b = 0; b < cout; b++) {
            const d = dy.data[out + b];
            dx.data[from + a] += d * weight.data[kernel + a * cout + b];
            dWeight.data[kernel + a * cout + b] += d * x.data[from + a];
          }
      });
      const dBias = plain([cout]);
      dy.data.forEach((d, i) => (dBias.data[i % cout] += d));
      return {
        inputs: [dx],
        parameters: { weight: dWeight, ...(bias === undefined ? {} : { bias: dBias }) },
      };
    },
  };
}

function normalisation(
  x: Plain,
  parameters: {
    readonly weight: Plain;
    readonly bias: Plain;
    readonly mean: Plain;
    readonly variance: Plain;
  },
  splits: number,
  epsilon: number,
  momentum: number,
  isTraining: boolean,
): Made {
  const [n, h, w, channels] = x.shape;
  const { weight, bias } = parameters;
  const count = (n / splits) * h * w;
  /** Split and channel of an element: example e is in split e mod splits. */
  const groupOf = (i: number): number =>
    (Math.floor(i / (h * w * channels)) % splits) * channels + (i % channels);
  const groups = splits * channels;
  const [mean, variance] = [new Float64Array(groups), new Float64Array(groups)];
  if (isTraining) {
    x.data.forEach((t, i) => (mean[groupOf(i)] += t / count));
    x.data.forEach((t, i) => (variance[groupOf(i)] += (t - mean[groupOf(i)]) ** 2 / count));
  } else {
    for (let g = 0; g < groups; g++) {
      mean[g] = parameters.mean.data[g % channels];
      variance[g] = parameters.variance.data[g % channels];
    }
  }
  const normal = x.data.map((t, i) => {
    const g = groupOf(i);
    return (t - mean[g]) / Math.sqrt(variance[g] + epsilon);
  });
  const overSplits = (values: Float64Array, c: number): number => {
    let sum = 0;
    for (let s = 0; s < splits; s++) sum += values[s * channels + c];
    return sum / splits;
  };
  const follow = (old: Plain, batch: Float64Array, factor: number): Plain =>
    plain(
      old.shape,
      (c) => (1 - momentum) * old.data[c] + momentum * factor * overSplits(batch, c),
    );
  return {
    y: plain(x.shape, (i) => normal[i] * weight.data[i % channels] + bias.data[i % channels]),
    back: (dy) => {
      const [sum, sumTimes] = [new Float64Array(groups), new Float64Array(groups)];
      const [dWeight, dBias] = [plain([channels]), plain([channels])];
      dy.data.forEach((d, i) => {
        sum[groupOf(i)] += d;
        sumTimes[groupOf(i)] += d * normal[i];
        dBias.data[i % channels] += d;
        dWeight.data[i % channels] += d * normal[i];
      });
      const dx = plain(x.shape, (i) => {
        const g = groupOf(i);
        const centred = dy.data[i] - sum[g] / count - (normal[i] * sumTimes[g]) / count;
        return (weight.data[i % channels] * centred) / Math.sqrt(variance[g] + epsilon);
      });
      return { inputs: [dx], parameters: { weight: dWeight, bias: dBias } };
    },
    ...(isTraining
      ? {
          running: {
            running_mean: follow(parameters.mean, mean, 1),
            running_var: follow(parameters.variance, variance, count / (count - 1)),
          },
        }
      : {}),
  };
}

function pooling(x: Plain, size: number, stride: number, isMax: boolean): Made {
  const [n, h, w, channels] = x.shape;
  const [rows, columns] = [
    Math.floor((h - size) / stride) + 1,
    Math.floor((w - size) / stride) + 1,
  ];
  const y = plain([n, rows, columns, channels]);
  /** The elements of x that an element of y depends on; for max pooling, the first largest one. */
  const windowOf = (out: number): number[] => {
    const c = out % channels;
    const j = Math.floor(out / channels) % columns;
    const i = Math.floor(out / (channels * columns)) % rows;
    const e = Math.floor(out / (channels * columns * rows));
    const places = Array.from({ length: size * size }, (_, k) => {
      const [di, dj] = [Math.floor(k / size), k % size];
      return ((e * h + i * stride + di) * w + j * stride + dj) * channels + c;
    });
    return isMax ? [places.reduce((a, b) => (x.data[b] > x.data[a] ? b : a))] : places;
  };
  for (let out = 0; out < y.data.length; out++) {
    const places = windowOf(out);
    y.data[out] = places.reduce((sum, at) => sum + x.data[at], 0) / places.length;
  }
  return {
    y,
    back: (dy) => {
      const dx = plain(x.shape);
      for (let out = 0; out < dy.data.length; out++) {
        const places = windowOf(out);
        for (const at of places) dx.data[at] += dy.data[out] / places.length;
      }
      return { inputs: [dx] };
    },
  };
}

/** Along the last axis. */
function concatenation(inputs: readonly Plain[]): Made {
  const widths = inputs.map(({ shape }) => shape[shape.length - 1]);
  const width = widths.reduce((a, b) => a + b, 0);
  const rows = inputs[0].data.length / widths[0];
  const y = plain([...inputs[0].shape.slice(0, -1), width]);
  const walk = (visit: (input: number, at: number, out: number) => void): void => {
    for (let row = 0; row < rows; row++) {
      let out = row * width;
      for (const [input, own] of widths.entries())
        for (let c = 0; c < own; c++) visit(input, row * own + c, out++);
    }
  };
  walk((input, at, out) => (y.data[out] = inputs[input].data[at]));
  return {
    y,
    back: (dy) => {
      const parts = inputs.map(({ shape }) => plain(shape));
      walk((input, at, out) => (parts[input].data[at] = dy.data[out]));
      return { inputs: parts };
    },
  };
}

function mirror({ shape, data }: Plain): Plain {
  const [, , w, c] = shape;
  return plain(shape, (i) => {
    const column = Math.floor(i / c) % w;
    return data[i + (w - 1 - 2 * column) * c];
  });
}

/** A number of the printed layer, or the first of a pair: `stride=(2, 2)`. */
function argument({ repr }: NodeEntry, name: string, missing = NaN): number {
  const found = new RegExp(`\\b${name}=\\(?([-\\d.e]+)`).exec(repr)?.[1];
  return found === undefined ? missing : Number(found);
}

function valueOf(values: ReadonlyMap<string, Plain>, name: string): Plain {
  const value = values.get(name);
  if (value === undefined) throw new Error(`plain loops: there is no value "${name}".`);
  return value;
}

function dataOf(state: PlainTensors, name: string): Float64Array {
  return valueOf(state, name).data;
}
