import { expect, test } from 'vitest';
import { visibleGpus } from './sweep-executor';

test.each([
  [2, undefined, ['0', '1']],
  [4, '3,1', ['3', '1']],
  [2, ' 1 , 0', ['1', '0']],
  [2, 'GPU-5a3e,GPU-77b1', ['GPU-5a3e', 'GPU-77b1']],
  [2, '-1', []],
  [2, '', []],
  [4, '2,-1,3', ['2']],
  [0, '0', []],
  [0, undefined, []],
])('%i GPUs, of which CUDA_VISIBLE_DEVICES=%j shows %j', (count, visible, names) => {
  expect(visibleGpus(count, visible)).toEqual(names);
});
