import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

/** Number formats in which the engine can train. */
export type Precision = 'fp32' | 'bf16' | 'fp16';

/** The number formats, from many bits to few. */
export const precisions: readonly Precision[] = ['fp32', 'bf16', 'fp16'];

/** A GPU that NVIDIA's driver lists. */
export interface Gpu {
  readonly name: string;
  readonly memoryBytes: number;
  /** For example 7.0 for a V100, 8.0 for an A100, 9.0 for an H100. */
  readonly computeCapability: number;
  readonly driver: string;
}

/** The hardware of a machine, as far as it matters for training. */
export interface Hardware {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** The processor's vector extensions that determine the speed of training. */
  readonly cpuFlags: readonly string[];
  readonly gpus: readonly Gpu[];
}

const relevantFlags = [
  'avx2',
  'fma',
  'avx512f',
  'avx512_vnni',
  'avx512_bf16',
  'amx_bf16',
  'amx_fp16',
];

/**
 * Reads the processor, memory and GPUs of this machine. GPUs are those that NVIDIA's driver lists; it is queried once per
 * process.
 */
export function readHardware(): Hardware {
  return {
    cpu: readProcessor(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    cpuFlags: cpuFlagsIn((cpuInfo ??= readCpuInfo())),
    gpus: (gpus ??= readGpus()),
  };
}

/** The processor's name as in {@link readHardware}, without querying the GPUs. */
export function readProcessor(): string {
  return processorName(cpus()[0]?.model ?? 'unknown processor', (cpuInfo ??= readCpuInfo()));
}

let gpus: readonly Gpu[] | undefined;
let cpuInfo: string | undefined;

/** Linux's description of the processors; empty on other systems, where no flags are known and fp32 counts as the fastest. */
function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

function cpuFlagsIn(text: string): string[] {
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(text)?.[1].split(' '));
  return relevantFlags.filter((flag) => flags.has(flag));
}

/**
 * The processor's name, with family and model if the name contains no digit: a virtual machine may give the first and the
 * third generation of a processor the same name, and one trains twice as fast as the other.
 *
 * @param text contents of /proc/cpuinfo
 */
export function processorName(name: string, text: string): string {
  const plain = name.replace(/\s+/g, ' ').trim();
  const [family, model] = ['cpu family', 'model'].map(
    (key) => new RegExp(`^${key}\\s*:\\s*(\\d+)$`, 'm').exec(text)?.[1],
  );
  const isSpecific = /\d/.test(plain) || family === undefined || model === undefined;
  return isSpecific ? plain : `${plain} (family ${family}, model ${model})`;
}

function readGpus(): Gpu[] {
  let text: string;
  try {
    text = execFileSync(
      'nvidia-smi',
      ['--query-gpu=name,memory.total,compute_cap,driver_version', '--format=csv,noheader,nounits'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 },
    );
  } catch {
    return []; // No driver, no GPU.
  }
  return parseGpus(text);
}

/** Reads `nvidia-smi --query-gpu=name,memory.total,compute_cap,driver_version --format=csv,noheader,nounits`. */
export function parseGpus(csv: string): Gpu[] {
  return csv
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name, memoryMiB, computeCapability, driver] = line
        .split(',')
        .map((cell) => cell.trim());
      return {
        name,
        memoryBytes: Number(memoryMiB) * 2 ** 20,
        computeCapability: Number(computeCapability),
        driver,
      };
    });
}

/**
 * The fastest number format on this hardware: half precision on GPUs with tensor cores (bf16 from compute capability 8.0,
 * fp16 on 7.x), bf16 on CPUs with instructions for it, else fp32.
 *
 * @param usesGpu whether TensorFlow runs on the GPU; a GPU that it cannot use is ignored
 */
export function fastestPrecision(hardware: Hardware, usesGpu: boolean): Precision {
  const capability = usesGpu ? (hardware.gpus[0]?.computeCapability ?? 0) : 0;
  if (capability >= 8) return 'bf16';
  if (capability >= 7) return 'fp16';
  if (usesGpu) return 'fp32';
  const hasBf16 = ['avx512_bf16', 'amx_bf16'].some((flag) => hardware.cpuFlags.includes(flag));
  return hasBf16 ? 'bf16' : 'fp32';
}

/** One line that describes the hardware, for example `AMD EPYC (family 25, model 17), 2 cores, AVX-512 BF16, 24 GB`. */
export function hardwareLine(hardware: Hardware): string {
  const names: readonly (readonly [flag: string, name: string])[] = [
    ['amx_bf16', 'AMX BF16'],
    ['avx512_bf16', 'AVX-512 BF16'],
    ['avx512f', 'AVX-512'],
    ['avx2', 'AVX2'],
  ];
  const vector = names.find(([flag]) => hardware.cpuFlags.includes(flag))?.[1];
  const gpus = hardware.gpus.map((gpu) => `${gpu.name} (driver ${gpu.driver})`);
  const cores = `${hardware.cores} core${hardware.cores === 1 ? '' : 's'}`;
  const memory = `${Math.round(hardware.memoryBytes / 2 ** 30)} GB`;
  return [hardware.cpu, cores, ...(vector === undefined ? [] : [vector]), memory, ...gpus].join(
    ', ',
  );
}
