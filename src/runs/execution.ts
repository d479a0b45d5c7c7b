import type { Run } from './run';

/**
 * Where TensorFlow computed a run. For a run that did not store it, the default of its machine: the GPU if it has one.
 */
export function deviceOf({ device, machine }: Pick<Run, 'device' | 'machine'>): 'cpu' | 'gpu' {
  return device ?? (hasGpu(machine) ? 'gpu' : 'cpu');
}

/** How a run was executed: the precision, and what differs from the default, as in `bf16` or `fp32, eager`. */
export function executionText(
  run: Pick<Run, 'precision' | 'mode' | 'xla' | 'device' | 'machine'>,
): string {
  return [
    run.precision,
    ...(run.mode === 'eager' ? ['eager'] : []),
    ...(run.xla ? ['XLA'] : []),
    ...(hasGpu(run.machine) && deviceOf(run) === 'cpu' ? ['on the CPU'] : []),
  ].join(', ');
}

/** Whether a hardware line names a GPU; TensorFlow supports those of NVIDIA only, and their line names the driver. */
function hasGpu(machine: string): boolean {
  return machine.includes('(driver ');
}
