import { resolve } from 'node:path';
import { UsageError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { scales } from '../catalogue/experiment';
import { networkOf } from '../catalogue/network';
import { scaled } from '../catalogue/scale';
import { dot } from '../graph/dot';
import { draw as drawNetwork } from '../graph/draw';
import { oneOf } from './flags';
import type { Command } from './flags';
import { writeOutput } from './output';

/** `draw`: draws an experiment's network. */
export const draw: Command = {
  name: 'draw',
  positionals: ['EXPERIMENT'],
  flags: {
    output: {
      value: 'FILE',
      help: 'net.svg or net.dot; the extension sets the format (default net.svg)',
    },
    scale: {
      value: 'SCALE',
      help: `${scales.join(', ')}: the scale whose widths are drawn (default full)`,
    },
  },
  examples: ['draw demo', 'draw demo --output demo.dot'],
  run: async (given) => {
    const experiment = findExperiment(given.positionals[0]);
    const scale = oneOf(given, 'scale', scales, 'full');
    const output = given.values.get('output') ?? 'net.svg';
    if (!/\.(svg|dot)$/.test(output)) {
      throw new UsageError(
        `--output "${output}" does not end in .svg or .dot. Give a name that does.`,
      );
    }
    const graph = networkOf(scaled(experiment, scale));
    const options = { name: experiment.name };
    await writeOutput(
      resolve(output),
      output.endsWith('.dot') ? dot(graph, options) : await drawNetwork(graph, options),
      '--output',
    );
    process.stdout.write(`${output}\n`);
    return 0;
  },
};
