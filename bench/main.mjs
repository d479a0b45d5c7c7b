// npm run bench: measures a training step of ResNet-9 in this library, TF.js and PyTorch. docs/bench.md explains the numbers.
import { parseArgs } from 'node:util';
import { wholeNumber } from '../scripts/options.mjs';
import { checkWork } from './check.bench.mjs';
import { measureMemory } from './memory.bench.mjs';
import { measureModels } from './models.bench.mjs';
import { measureNetwork } from './network.bench.mjs';
import { measureSteps } from './step.bench.mjs';

const usage = `usage: npm run bench -- [options]

  --quick        batch 64 and a few steps of each variant, in under a minute; too short to be reliable
  --batch N      a batch size to measure, instead of 512 and 128; may be repeated
  --rounds N     turns of each variant, two steps each (default 5)
  --xla          also our captured step compiled by XLA, as far as it can
  --json         end with one JSON line
  --network fastest   instead: a step of the network that reaches 94 % fastest, and every convolution of it
  --memory       instead: check that memory stays flat over 3,000 small steps and 30 large ones
  --models       instead: models of tf.layers by model.fit, accelerate() and PyTorch
  --no-peer      leave PyTorch out of --models
  --check        instead: check that every variant computes the same losses
  --help         this text

npm run bench:peers installs PyTorch, without which it is left out.
`;

function readFlags() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      batch: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      xla: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      network: { type: 'string' },
      memory: { type: 'boolean', default: false },
      models: { type: 'boolean', default: false },
      'no-peer': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { batch, rounds, 'no-peer': noPeer, ...switches } = values;
  return {
    ...switches,
    noPeer,
    batches: batch?.map((text) => wholeNumber('batch', text)),
    rounds: rounds === undefined ? undefined : wholeNumber('rounds', rounds),
  };
}

async function main() {
  let flags;
  try {
    flags = readFlags();
  } catch (error) {
    console.error(`bench: ${error.message}\n\n${usage}`);
    return 2;
  }
  if (flags.help) {
    console.log(usage);
    return 0;
  }
  if (flags.network !== undefined && flags.network !== 'fastest') {
    console.error(
      `bench: --network "${flags.network}" is not known. As in --network fastest.\n\n${usage}`,
    );
    return 2;
  }
  const bench = flags.network
    ? measureNetwork
    : flags.check
      ? checkWork
      : flags.models
        ? measureModels
        : flags.memory
          ? measureMemory
          : measureSteps;
  const { result, faults } = await bench(flags);
  for (const fault of faults) console.error(`bench: ${fault}`);
  if (flags.json) console.log(JSON.stringify(result));
  return faults.length === 0 ? 0 : 1;
}

// Exits through the exit handlers, which remove temporary files.
process.once('SIGINT', () => process.exit(130));
process.exitCode = await main();
