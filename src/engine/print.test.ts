import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import type { Precision } from './hardware';
import { printGraph, summariseGraph } from './print';
import { batchNormTraining } from './raw/batch-norm';
import { relu } from './raw/relu';
import { createSession } from './session';
import type { Recording, Session } from './session';
import { loadTensorflow } from './tensorflow';

const open: Session<Record<string, HostTensor>>[] = [];

beforeAll(() => {
  loadTensorflow();
});

afterAll(() => {
  for (const session of open) session.dispose();
});

/** Records `body` on float inputs of these shapes. */
function recordingOf(
  shapes: Readonly<Record<string, readonly number[]>>,
  body: (inputs: Readonly<Record<string, tf.Tensor>>) => tf.Tensor,
): Recording {
  const session = createSession<Record<string, HostTensor>>({}, { mode: 'captured' });
  open.push(session);
  const example = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, filled(shape, 0)]),
  );
  session.capture('step', (_state, inputs) => ({ outputs: { y: body(inputs) } }), example);
  return session.recordings[0];
}

/** A training step with two convolutions and every other kind of layer that the study's networks have. */
function trainingStep(precision: Precision): Recording {
  const session = createSession(
    {
      params: {
        conv: filled([3, 3, 3, 8], 0.1),
        scale: filled([8], 1),
        bias: filled([8], 0),
        linear: filled([8, 10], 0.1),
      },
      unused: filled([1000], 0),
      steps: filled([], 0),
    },
    { mode: 'captured', precision },
  );
  open.push(session as unknown as Session<Record<string, HostTensor>>);
  session.capture(
    'train',
    ({ params, steps }, { batch: { images, labels }, lr }) => {
      const names = ['conv', 'scale', 'bias', 'linear'] as const;
      const loss = (...weights: tf.Tensor[]): tf.Tensor => {
        const [kernel, scale, bias, linear] = weights as [
          tf.Tensor4D,
          tf.Tensor1D,
          tf.Tensor1D,
          tf.Tensor2D,
        ];
        const conv = tf.conv2d(images as tf.Tensor4D, kernel, 1, 'same');
        const { output } = batchNormTraining(conv, scale, bias, 1e-5);
        const pooled = tf.maxPool(relu(output) as tf.Tensor4D, 4, 4, 'valid');
        const logits = tf.matMul(pooled.reshape<tf.Tensor2D>([4, 8]), linear).mul(0.125);
        return tf.logSoftmax(logits).mul(labels).sum().neg();
      };
      const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => params[name]));
      return {
        state: {
          params: Object.fromEntries(
            names.map((name, index) => [name, params[name].sub(grads[index].mul(lr))]),
          ) as typeof params,
          steps: steps.add(1),
        },
        outputs: { loss: value },
      };
    },
    { batch: { images: filled([4, 4, 4, 3], 0), labels: filled([4, 10], 0) }, lr: 0 },
  );
  return session.recordings[0];
}

describe('printGraph', () => {
  // Not in bf16, where the recording depends on the processor.
  test.each(['fp32', 'fp16'] as const)('of a training step in %s', async (precision) => {
    const text = printGraph(trainingStep(precision));
    await expect(text).toMatchFileSnapshot(
      `../../test/output/training-step-${precision}.graph.txt`,
    );
    expect(printGraph(trainingStep(precision))).toBe(text);
  });

  test('of the step in docs/engine.md matches that page', () => {
    const numbers = (...values: number[]): HostTensor => ({
      shape: [values.length],
      data: Float32Array.from(values),
    });
    const session = createSession<Record<'w' | 'steps', HostTensor>>(
      { w: numbers(1, 2), steps: numbers(0) },
      { mode: 'captured' },
    );
    open.push(session);
    session.capture(
      'train',
      ({ w, steps }, { x, lr }) => {
        const loss = (v: tf.Tensor): tf.Tensor => v.mul(x).sum().square();
        const { value, grad } = tf.valueAndGrad(loss)(w);
        return { state: { w: w.sub(grad.mul(lr)), steps: steps.add(1) }, outputs: { loss: value } };
      },
      { x: numbers(0, 0), lr: 0 },
    );
    const lines = printGraph(session.recordings[0]).trimEnd().split('\n');
    const page = readFileSync(join(__dirname, '../../docs/engine.md'), 'utf8');
    const shown = /```text\n(step "train"[\s\S]*?)\n```/.exec(page)?.[1].split('\n') ?? [];
    const gap = shown.indexOf('  …');
    expect(gap).toBeGreaterThan(0);
    expect(lines.slice(0, gap)).toEqual(shown.slice(0, gap));
    const rest = shown.slice(gap + 1);
    expect(lines.slice(-rest.length)).toEqual(rest);
  });

  test('shows only what a run needs', () => {
    const recording = recordingOf({ x: [2], unused: [3] }, (inputs) => {
      inputs['x'].exp();
      return inputs['x'].add(tf.tensor1d([0.5, -3]));
    });
    expect(printGraph(recording)).toBe(
      [
        'step "step"',
        '  %1  Placeholder  float32 [2]  "x"',
        '  %2  Const        float32 [2]  = 0.5 -3',
        '  %3  Add(%1, %2)  float32 [2]',
        '  output "y" = %3',
        '3 nodes: 1 Add, 1 Const, 1 Placeholder',
        '0 FLOP in convolutions and matrix products, 0 casts, 0 B of state',
        '',
      ].join('\n'),
    );
  });
});

describe('summariseGraph', () => {
  test('counts nodes, casts and bytes of the state that the step uses', () => {
    const { nodes, byOp, casts, stateBytes } = summariseGraph(trainingStep('fp16'));
    expect([...byOp.values()].reduce((a, b) => a + b)).toBe(nodes);
    expect([...byOp.values()]).toEqual([...byOp.values()].toSorted((a, b) => b - a));
    expect(byOp.get('Conv2D')).toBe(1);
    expect(byOp.get('ReluGrad')).toBe(1);
    // Three of TF.js's casts change nothing.
    expect(casts).toBe((byOp.get('Cast') ?? 0) - 3);
    expect(casts).toBe(8);
    // Four parameters and a counter; `unused` is not read.
    expect(stateBytes).toBe(4 * (3 * 3 * 3 * 8 + 8 + 8 + 8 * 10 + 1));
    expect(summariseGraph(trainingStep('fp32')).casts).toBe(0);
  });
});

test('an eager session has no recordings', () => {
  const session = createSession({}, { mode: 'eager' });
  session.capture('step', () => ({}), {});
  expect(session.recordings).toEqual([]);
  session.dispose();
});
