// node scripts/curve.mjs: draws the training curves of README.md, docs/pictures/curve.png, from the full-scale runs of `fastest` in
// results/ that keep a curve. Against time if one of them had its machine to itself, else against epochs.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chart } from 'cifar10-fast/notebook';
import { fail, isTimed, readResults } from './result-files.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const runs = readResults(root).filter(
  ({ record, scale, overrides, curve }) =>
    record === 'fastest' && scale === 'full' && overrides === undefined && curve !== undefined,
);
if (runs.length === 0) fail('no result of fastest keeps a curve. Add one: readme.mjs add FOLDER');
const timed = runs.filter(isTimed);
const isAgainstTime = timed.length > 0;
const shown = isAgainstTime ? timed : runs;
const x = isAgainstTime ? 'seconds of training' : 'epoch';
const rows = shown.flatMap(({ seed, curve }) =>
  curve.map(({ epoch, trainSec, accPercent }) => ({
    [x]: isAgainstTime ? trainSec : epoch,
    'test accuracy %': accPercent,
    run: `seed ${seed}`,
  })),
);
const [{ hardware, precision }] = shown;
const figure = await chart(rows, {
  mark: ['line', 'point'],
  x: { field: x },
  y: { field: 'test accuracy %', domain: [0, 100] },
  colour: 'run',
  guides: [{ y: 94, label: '94 %' }],
  width: 640,
  height: 260,
  title: 'fastest: test accuracy while it trains',
  subtitle: `${hardware}, ${precision}; on 2,000 test images after each epoch, on all 10,000 at the end`,
});
const file = join(root, 'docs/pictures/curve.png');
writeFileSync(file, Buffer.from(figure.bundle['image/png'], 'base64'));
console.log(file);
