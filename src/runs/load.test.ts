import { describe, expect, test } from 'vitest';
import {
  addLoads,
  allowedCores,
  busySeconds,
  isTimed,
  loadBetween,
  loadOver,
  othersShare,
  readLoadSample,
} from './load';

const stat = `cpu  900 0 300 5000 40 0 8 0 0 0
cpu0 400 20 100 2500 20 3 5 2 7 0
cpu1 500 0 200 2500 20 0 3 0 0 0
cpu10 9999 0 0 0 0 0 0 0 0 0
intr 1 2 3
`;

describe("Linux's counters", () => {
  test('allowedCores lists the cores that the process may use', () => {
    expect(allowedCores('Name:\tnode\nCpus_allowed:\t13\nCpus_allowed_list:\t0-1,4\n')).toEqual([
      0, 1, 4,
    ]);
  });

  test('busy time is user, nice, system, interrupts and steal, without idle, I/O wait and guests', () => {
    expect(busySeconds(stat, [0])).toBe((400 + 20 + 100 + 3 + 5 + 2) / 100);
    expect(busySeconds(stat, [0, 1])).toBe((530 + 703) / 100);
  });

  test('the counters of this process grow while it works', () => {
    const before = readLoadSample();
    let sum = 0;
    while (readLoadSample().cpuSec < before.cpuSec + 0.02) sum += Math.sqrt(sum + 1);
    const after = readLoadSample();
    expect(after.cpuSec).toBeGreaterThan(before.cpuSec);
    expect(after.wallSec).toBeGreaterThan(before.wallSec);
    expect(after.cores).toBeGreaterThan(0);
  });
});

describe('the load of a run', () => {
  const from = { wallSec: 100, cpuSec: 10, busySec: 500, cores: 2 };

  test('others used the busy time of the cores minus that of this process', () => {
    const load = loadBetween(from, { wallSec: 110, cpuSec: 28, busySec: 520, cores: 2 });
    expect(load).toEqual({ wallSec: 10, cpuSec: 18, othersSec: 2, cores: 2 });
    expect(othersShare(load)).toBe(0.1);
    expect(isTimed({ load })).toBe(false);
  });

  test('rounding to ticks gives no negative time for others', () => {
    const load = loadBetween(from, { wallSec: 101, cpuSec: 12, busySec: 501.99, cores: 2 });
    expect(load.othersSec).toBe(0);
    expect(isTimed({ load })).toBe(true);
  });

  test('times do not count if others used more than 5 %', () => {
    const load = { wallSec: 10, cpuSec: 15, cores: 2 };
    expect(isTimed({ load: { ...load, othersSec: 1 } })).toBe(true);
    expect(isTimed({ load: { ...load, othersSec: 1.01 } })).toBe(false);
    expect(isTimed({ load: { ...load, othersSec: 1.01 }, alone: true })).toBe(false);
  });

  test('with unknown load, times count only if the run is known to have been alone', () => {
    const { busySec: _, ...unknown } = from;
    const load = loadBetween(unknown, { ...from, wallSec: 110 });
    expect(load).not.toHaveProperty('othersSec');
    expect(othersShare(load)).toBeUndefined();
    expect(isTimed({ load })).toBe(false);
    expect(isTimed({})).toBe(false);
    expect(isTimed({ load, alone: true })).toBe(true);
    expect(isTimed({ alone: true })).toBe(true);
  });

  test('a stored load that does not cover the seconds of a run says nothing about other programs', () => {
    // Nine epochs beside other programs were lost to kill -9, then the tenth ran alone.
    const last = { wallSec: 30, cpuSec: 59, othersSec: 0, cores: 2 };
    const { othersSec: _, ...own } = last;
    expect(loadOver(30, last)).toEqual(last);
    expect(loadOver(300, last)).toEqual(own);
    expect(loadOver(30, own)).toEqual(own);
    const none = loadOver(270, undefined);
    expect(isTimed({ load: addLoads(none, last) })).toBe(false);
    expect(addLoads(none, last)).toEqual(own);
  });

  test('the load of a resumed run is the sum of both parts', () => {
    const [one, two] = [
      { wallSec: 10, cpuSec: 18, othersSec: 2, cores: 2 },
      { wallSec: 30, cpuSec: 59, othersSec: 0, cores: 2 },
    ];
    expect(addLoads(undefined, one)).toBe(one);
    expect(addLoads(one, two)).toEqual({ wallSec: 40, cpuSec: 77, othersSec: 2, cores: 2 });
    const { othersSec: _, ...unknown } = two;
    expect(addLoads(one, unknown)).toEqual({ wallSec: 40, cpuSec: 77, cores: 2 });
  });
});
