import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { connectRay } from './ray';

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-ray-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Stands in for Python: stores the first line that it receives, and reports that it is connected. */
const driver = `#!${process.execPath}
const { writeFileSync } = require('node:fs');
require('node:readline').createInterface({ input: process.stdin }).once('line', (line) => {
  writeFileSync(${JSON.stringify(join(scratch, 'first.json'))}, line);
  console.log(JSON.stringify({ event: 'connected', nodes: 1, cpus: 2, gpusPerRun: 0 }));
});
`;

test('sends the driver the fields that it documents', async () => {
  const python = join(scratch, 'python');
  writeFileSync(python, driver);
  chmodSync(python, 0o755);
  const cluster = await connectRay({ address: 'auto', retries: 2, python });
  await cluster.close();
  const sent = JSON.parse(readFileSync(join(scratch, 'first.json'), 'utf8')) as object;
  const source = readFileSync(join(__dirname, '../../cluster/ray_sweep.py'), 'utf8');
  const first = /^ {2}(\{"address".*\}) +first$/m.exec(source)?.[1] ?? '';
  const documented = [...first.matchAll(/"(\w+)":/g)].map(([, key]) => key);
  expect(Object.keys(sent).toSorted()).toEqual(documented.toSorted());
});
