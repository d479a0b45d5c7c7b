// Has the engine measure the given convolutions, and prints the rows of its table of algorithms as a line of JSON.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { readConfig } from '../worker.mjs';

const { root, shapes, precision } = readConfig();
const require = createRequire(join(root, 'package.json'));
const { createAlgorithms } = require(join(root, 'dist/engine/algorithms.js'));
const algorithms = createAlgorithms();
for (const { height, output, cin, cout } of shapes) {
  for (const pass of ['forward', 'input-gradient', 'kernel-gradient']) {
    algorithms.choose(pass, {
      precision,
      images: 512,
      height,
      width: height,
      outputHeight: output,
      outputWidth: output,
      inputChannels: cin,
      outputChannels: cout,
    });
  }
}
console.log(JSON.stringify(algorithms.rows));
