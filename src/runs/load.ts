import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** How busy this process and others kept the processors while a run trained. */
export interface Load {
  /** Seconds that training took, evaluation included. */
  readonly wallSec: number;
  /** Processor seconds of this process in that time, summed over all cores. */
  readonly cpuSec: number;
  /**
   * Processor seconds of everything else on the cores that this process may use, including time taken by a hypervisor. Absent
   * if the system does not report it.
   */
  readonly othersSec?: number;
  /** Cores that this process may use. */
  readonly cores: number;
}

/** Counters at one moment; {@link loadBetween} is their difference. */
export interface LoadSample extends Pick<Load, 'wallSec' | 'cpuSec' | 'cores'> {
  /** Seconds that the cores were busy since the system started; absent if the system does not report it. */
  readonly busySec?: number;
}

/** The largest share of the processors that other processes may use for the times of a run to count. */
export const mostOthers = 0.05;

/** Ticks per second in `/proc/stat`; a constant of Linux's user-space interface. */
const ticksPerSec = 100;

/** Reads the counters of this process and of the cores that it may use. */
export function readLoadSample(): LoadSample {
  const { user, system } = process.cpuUsage();
  const cores = availableParallelism();
  const busySec = readBusySec(cores);
  return {
    wallSec: performance.now() / 1000,
    cpuSec: (user + system) / 1e6,
    cores,
    ...(busySec === undefined ? {} : { busySec }),
  };
}

/** Undefined outside Linux, and if a quota limits the process to fewer cores than it sees, as others use the rest. */
function readBusySec(cores: number): number | undefined {
  try {
    const allowed = allowedCores(readFileSync('/proc/self/status', 'utf8'));
    if (allowed.length !== cores) return undefined;
    return busySeconds(readFileSync('/proc/stat', 'utf8'), allowed);
  } catch {
    return undefined;
  }
}

/** The numbers of the cores in `/proc/self/status`, as in `Cpus_allowed_list:	0-1,4`. */
export function allowedCores(status: string): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [from, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

/** Busy seconds of these cores in `/proc/stat`: all but idle, I/O wait, and guest time, which user time already includes. */
export function busySeconds(stat: string, cores: readonly number[]): number {
  const ticks = cores.map((core) => {
    const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(stat)?.[1];
    if (line === undefined) throw new Error(`/proc/stat has no core ${core}`);
    const [user, nice, system, _idle, _wait, irq = 0, softIrq = 0, steal = 0] = line
      .split(' ')
      .map(Number);
    return user + nice + system + irq + softIrq + steal;
  });
  return ticks.reduce((sum, each) => sum + each, 0) / ticksPerSec;
}

/** The load between two samples. */
export function loadBetween(from: LoadSample, to: LoadSample): Load {
  const cpuSec = to.cpuSec - from.cpuSec;
  return {
    wallSec: to.wallSec - from.wallSec,
    cpuSec,
    ...(from.busySec === undefined || to.busySec === undefined
      ? {}
      : { othersSec: Math.max(0, to.busySec - from.busySec - cpuSec) }),
    cores: to.cores,
  };
}

/**
 * The load of `seconds` seconds of training: the stored one if it covers them. Otherwise part of it was not stored, as when
 * a process was killed, and that of other programs is unknown.
 */
export function loadOver(seconds: number, stored: Load | undefined): Load {
  const { othersSec, ...own } = stored ?? { wallSec: 0, cpuSec: 0, cores: 1 };
  const isKnown = othersSec !== undefined && own.wallSec >= seconds;
  return { ...own, ...(isKnown ? { othersSec } : {}) };
}

/** The load of a resumed run: the sum of both parts. */
export function addLoads(before: Load | undefined, now: Load): Load {
  if (before === undefined) return now;
  const { othersSec: others } = before;
  const isKnown = others !== undefined && now.othersSec !== undefined;
  return {
    wallSec: before.wallSec + now.wallSec,
    cpuSec: before.cpuSec + now.cpuSec,
    ...(isKnown ? { othersSec: others + now.othersSec } : {}),
    cores: Math.max(before.cores, now.cores),
  };
}

/** The share of the processors that others used, from 0 to 1; undefined if unknown, as for runs of older versions. */
export function othersShare(load: Load | undefined): number | undefined {
  if (load?.othersSec === undefined || !(load.wallSec > 0)) return undefined;
  return load.othersSec / (load.wallSec * load.cores);
}

/**
 * Whether the times of a run count: others used at most {@link mostOthers} of the processors or, if that was not measured,
 * the run is known to have been alone. All code that averages, charts or compares times calls this, including scripts.
 */
export function isTimed({ load, alone }: { readonly load?: Load; readonly alone?: true }): boolean {
  const others = othersShare(load);
  return others === undefined ? alone === true : others <= mostOthers;
}
