import { expect, test } from 'vitest';
import { processorName } from './hardware';

const zen1 =
  'processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n';

test.each([
  ['AMD  EPYC ', zen1, 'AMD EPYC (family 23, model 1)'],
  ['AMD EPYC', zen1.replace('model\t\t: 1', 'model\t\t: 17'), 'AMD EPYC (family 23, model 17)'],
  ['Intel(R) Xeon(R) Platinum 8592+', zen1, 'Intel(R) Xeon(R) Platinum 8592+'],
  ['AMD EPYC', '', 'AMD EPYC'],
])('the name of processor %j distinguishes its generations', (name, cpuInfo, expected) => {
  expect(processorName(name, cpuInfo)).toBe(expected);
});
