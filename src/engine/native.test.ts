import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { attributeType, dataType } from './graph';
import { loadGraphAddon } from './native';
import type { GraphAddon, NativeGraph } from './native';
import { loadTensorflow } from './tensorflow';

let addon: GraphAddon;

beforeAll(() => {
  loadTensorflow();
  addon = loadGraphAddon();
});

/** A graph with a placeholder of two numbers, node 0, and its identity, node 1. */
function graphOfTwo(): NativeGraph {
  const graph = addon.create(new Uint8Array());
  const attributes = [
    { name: 'dtype', type: attributeType.type, value: dataType.float32 },
    { name: 'shape', type: attributeType.shape, value: [2] },
  ];
  addon.addNode(graph, 'Placeholder', 'x', [], attributes, []);
  const type = { name: 'T', type: attributeType.type, value: dataType.float32 };
  addon.addNode(graph, 'Identity', 'y', [[0, 0]], [type], []);
  return graph;
}

const feed = { output: [0, 0], dtype: dataType.float32, shape: [2] } as const;

/** Lets a test call the addon with arguments that its types do not allow. */
const untyped = (): Record<keyof GraphAddon, (...args: unknown[]) => unknown> =>
  addon as unknown as Record<keyof GraphAddon, (...args: unknown[]) => unknown>;

describe('the addon', () => {
  test('reads the bytes of a view, not of the buffer under it', async () => {
    const graph = graphOfTwo();
    const data = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    const [result] = addon.runSync(graph, [{ ...feed, data }], [[1, 0]], []);
    expect({ ...result, data: [...new Float32Array(result.data)] }).toEqual({
      dtype: dataType.float32,
      shape: [2],
      data: [2, 3],
    });
    const timed = await addon.run(graph, [{ ...feed, data }], [[1, 0]], [], true);
    expect(timed.metadata?.byteLength).toBeGreaterThan(0);
    addon.close(graph);
  });

  test('rejects what does not fit its graph', async () => {
    const graph = graphOfTwo();
    const short = { ...feed, data: new Float32Array(1) };
    expect(() => addon.runSync(graph, [short], [[0, 0]], [])).toThrow(
      'graph addon: a tensor of 8 bytes was given 4',
    );
    expect(() => addon.runSync(graph, [], [[2, 0]], [])).toThrow('graph addon: there is no node 2');
    expect(() => addon.addNode(graph, 'NoSuchOperation', 'z', [], [], [])).toThrow(
      "Op type not registered 'NoSuchOperation'",
    );
    await expect(addon.run(graph, [], [[1, 0]], [], false)).rejects.toThrow(
      "You must feed a value for placeholder tensor 'x'",
    );
    expect(() => addon.convAlgorithms(0, false, [1, 2])).toThrow(
      'graph addon: a convolution has 7 extents, not 2',
    );
    addon.close(graph);
    expect(() => addon.close(graph)).toThrow('graph addon: the graph is closed');
  });

  test('names the type of value that it expects', () => {
    const graph = graphOfTwo();
    const { runSync, create, close, addNode } = untyped();
    expect(() => create('text')).toThrow('graph addon: data is not a typed array');
    expect(() => close({})).toThrow('graph addon: a graph is not what was expected');
    expect(() => addNode(graph, 5, 'z', [], [], [])).toThrow('A string was expected');
    expect(() => runSync(graph, [], [['a', 0]], [])).toThrow('A number was expected');
    expect(() => runSync(graph)).toThrow('An array was expected');
    addon.close(graph);
  });
});

/** Starts a run of about 10 GFLOP without waiting for its result. */
const longRun = `
  const addon = require(${JSON.stringify(join(resolve(__dirname, '../..'), 'native/graph.node'))});
  const graph = addon.create(new Uint8Array());
  const dtype = (name, value) => ({ name, type: ${attributeType.type}, value });
  const shape = { dtype: ${dataType.int32}, shape: [2], data: Int32Array.of(512, 512) };
  const tensor = { name: 'value', type: ${attributeType.tensor}, value: shape };
  const add = (op, name, inputs, attributes) =>
    [addon.addNode(graph, op, name, inputs, attributes, []).id, 0];
  const extents = add('Const', 'extents', [], [dtype('dtype', ${dataType.int32}), tensor]);
  const types = [dtype('dtype', ${dataType.float32}), dtype('T', ${dataType.int32})];
  const first = add('RandomUniform', 'first', [extents], types);
  let product = first;
  for (let i = 0; i < 40; i++)
    product = add('MatMul', 'product' + i, [product, first], [dtype('T', ${dataType.float32})]);
  addon.run(graph, [], [product], [], false).then(() => console.log('the run has ended'));
`;

/** Runs a script in a separate process, as a failure would end it by a signal. */
function runScript(script: string): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr };
}

test('loading releases the memory of the pages that only loading read', () => {
  const script = `
    const { readFileSync } = require('node:fs');
    const resident = () => Number(/RssFile:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    process.env.TF_ENABLE_ONEDNN_OPTS = '1';
    const tf = require('@tensorflow/tfjs-node-gpu');
    const before = resident();
    require(${JSON.stringify(join(resolve(__dirname, '../..'), 'native/graph.node'))});
    const after = resident();
    tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).print();
    console.log(after < before / 2 ? 'released' : before + ' kB before, ' + after + ' kB after');
  `;
  const { status, stdout } = runScript(script);
  expect({ status, last: stdout.trim().split('\n').at(-1) }).toEqual({
    status: 0,
    last: 'released',
  });
});

describe('while a run is in flight', () => {
  test('a thread ends, and the result is dropped', () => {
    const thread = `${longRun} require('node:worker_threads').parentPort.postMessage('started');`;
    const script = `
      const { Worker } = require('node:worker_threads');
      const thread = new Worker(${JSON.stringify(thread)}, { eval: true });
      thread.on('message', async () => console.log('ended with', await thread.terminate()));
    `;
    const { status, stdout, stderr } = runScript(script);
    expect(stderr).not.toContain('terminate called');
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'ended with 1\n' });
  });

  test('the process exits', () => {
    const { status, stdout, stderr } = runScript(`${longRun} process.exit(3);`);
    expect(stderr).not.toContain('terminate called');
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
  });
});
