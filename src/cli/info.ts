import { fastestPrecision, hardwareLine, readHardware } from '../engine/hardware';
import { loadGraphAddon } from '../engine/native';
import { loadTensorflow } from '../engine/tensorflow';
import type { Command } from './flags';

/** `info`: describes this machine and what the engine would do on it. */
export const info: Command = {
  name: 'info',
  positionals: [],
  flags: { json: { help: 'one JSON object, for programs' } },
  examples: ['info', 'info --json'],
  run: ({ switches }) => {
    const hardware = readHardware();
    const { version, gpu, intraOpThreads } = loadTensorflow();
    const amx = loadGraphAddon().amx();
    const facts = {
      hardware,
      amx,
      tensorflow: version,
      node: process.versions.node,
      device: gpu ? 'gpu' : 'cpu',
      threads: intraOpThreads,
      onednn: process.env['TF_ENABLE_ONEDNN_OPTS'] !== '0',
      fastestPrecision: fastestPrecision(hardware, gpu),
    };
    const lines = [
      ['hardware', hardwareLine(hardware)],
      ['vector instructions', hardware.cpuFlags.join(' ') || 'none of those that matter'],
      ...(amx === 'refused'
        ? [['', 'the system refuses AMX tiles: convolutions use AVX-512 instead']]
        : []),
      [
        'GPUs',
        hardware.gpus
          .map(
            ({ name, memoryBytes, computeCapability, driver }) =>
              `${name}, ${Math.round(memoryBytes / 2 ** 30)} GB, compute capability ` +
              `${computeCapability.toFixed(1)}, driver ${driver}`,
          )
          .join('; ') || 'none',
      ],
      [
        'TensorFlow',
        `${facts.tensorflow}, on the ${facts.device.toUpperCase()}, oneDNN ${facts.onednn ? 'on' : 'off'}`,
      ],
      ...(hardware.gpus.length > 0 && !gpu
        ? [['', 'it does not use the GPUs: ./kernel-setup.sh --cuda prints what is missing']]
        : []),
      ['Node', facts.node],
      ['threads', String(facts.threads)],
      ['precision', `${facts.fastestPrecision}, unless --precision says otherwise`],
    ];
    process.stdout.write(
      switches.has('json')
        ? `${JSON.stringify(facts)}\n`
        : lines.map(([name, value]) => `${name.padEnd(20)} ${value}\n`).join(''),
    );
    return Promise.resolve(0);
  },
};
