import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled } from '../base/host-tensor';
import { counts, dot } from '../graph/dot';
import { recordingGraph } from './recording-graph';
import { createSession } from '../engine/session';
import type { Session } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';

type State = { readonly w: { readonly shape: readonly number[]; readonly data: Float32Array } };

let session: Session<State>;

beforeAll(() => {
  loadTensorflow();
  session = createSession<State>({ w: { shape: [2], data: new Float32Array([1, 2]) } });
  const loss = (w: tf.Tensor, x: tf.Tensor): tf.Scalar => tf.square(tf.sum(tf.mul(w, x)));
  session.capture('ask', ({ w }, { x }) => ({ outputs: { loss: loss(w, x) } }), {
    x: filled([2], 1),
  });
  session.capture(
    'learn',
    ({ w }, { x, lr }) => {
      const { value, grad } = tf.valueAndGrad((v) => loss(v, x))(w);
      return { state: { w: tf.sub(w, tf.mul(grad, lr)) }, outputs: { loss: value } };
    },
    { x: filled([2], 1), lr: 0 },
  );
});

afterAll(() => session.dispose());

describe('recordingGraph', () => {
  test('names operations by kind, inputs and outputs by path', () => {
    const graph = recordingGraph(session.recordings[0]);
    expect([...graph.keys()].filter((name) => !name.startsWith('Const'))).toEqual([
      'state/w',
      'inputs/x',
      'Mul 1',
      'Sum 1',
      'Square 1',
      'outputs/loss',
    ]);
    expect(graph.get('Mul 1')).toEqual({
      layer: { kind: 'Mul', type: 'float32 [2]' },
      inputs: ['state/w', 'inputs/x'],
    });
    expect(graph.get('inputs/x')).toEqual({ layer: null, inputs: [] });
    expect(graph.get('outputs/loss')).toEqual({
      layer: { kind: 'output', type: 'float32 []' },
      inputs: ['Square 1'],
    });
  });

  test('uses the same names for what two steps share, and shows new state', () => {
    const [ask, learn] = session.recordings.map(recordingGraph);
    expect([...ask.keys()].filter((name) => !learn.has(name))).toEqual([]);
    expect(learn.size).toBeGreaterThan(ask.size + 3);
    const { layer, inputs } = learn.get('new state/w')!;
    expect(layer?.type).toBe('float32 [2]');
    expect(inputs).toHaveLength(1);
    expect(learn.get(inputs[0])?.layer?.kind).toBe('Sub');
  });

  test('is in order of evaluation, and can be drawn', () => {
    for (const graph of session.recordings.map(recordingGraph)) {
      const seen = new Set<string>();
      for (const [name, { inputs }] of graph) {
        expect(inputs.filter((input) => !seen.has(input))).toEqual([]);
        seen.add(name);
      }
      expect(counts(graph).nodes).toBe(graph.size);
      expect(dot(graph)).toContain('"inputs/x" -> "Mul 1"');
    }
  });
});
