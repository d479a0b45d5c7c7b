import type { Command } from './flags';

/** A command as the help lists it, before its module is loaded. */
export interface CommandEntry {
  /** One line. */
  readonly summary: string;
  /** Loads the command and its dependencies, which takes up to half a second for those that train. */
  readonly load: () => Promise<Command>;
}

/** Every command by name, in the order of the help. */
export const commands: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  [
    'train',
    {
      summary:
        'Trains an experiment of the catalogue on CIFAR-10 and stores the run in a folder, or resumes a run.',
      load: async () => (await import('./train.js')).train,
    },
  ],
  [
    'dawn',
    {
      summary: "The study's script dawn: ResNet-9 in 24 epochs, timed by the rule of DAWNBench.",
      load: async () => (await import('./dawn.js')).dawn,
    },
  ],
  [
    'new-dawn',
    {
      summary:
        "The study's script new_dawn: every trick of post 8 in ten epochs, timed by the rule of DAWNBench.",
      load: async () => (await import('./dawn.js')).newDawn,
    },
  ],
  [
    'sweep',
    {
      summary:
        'Trains experiments with several seeds each, in worker processes, and reports statistics.',
      load: async () => (await import('./sweep.js')).sweep,
    },
  ],
  [
    'report',
    {
      summary:
        'Statistics of finished runs beside the published figures, as a table, JSON or a page.',
      load: async () => (await import('./report.js')).report,
    },
  ],
  [
    'predict',
    {
      summary: 'Classifies pictures with the network of a run: ten probabilities each.',
      load: async () => (await import('./predict.js')).predict,
    },
  ],
  [
    'export',
    {
      summary: 'The network of a run for other programs: SavedModel, TF.js, ONNX, safetensors.',
      load: async () => (await import('./export-network.js')).exportNetwork,
    },
  ],
  [
    'page',
    {
      summary: 'A page to play with the network of a run: pictures, camera, no network connection.',
      load: async () => (await import('./page.js')).page,
    },
  ],
  [
    'runs',
    {
      summary:
        'Lists the runs of a folder, compares them side by side, opens one as a page, deletes some.',
      load: async () => (await import('./runs.js')).runs,
    },
  ],
  [
    'list',
    {
      summary: 'Every experiment that can be trained, by notebook, with its published figures.',
      load: async () => (await import('./list.js')).list,
    },
  ],
  [
    'show',
    {
      summary:
        'Every value of an experiment that --set changes: its path, value, unit and meaning.',
      load: async () => (await import('./show.js')).show,
    },
  ],
  [
    'draw',
    {
      summary: 'The network of an experiment as a drawing: SVG, or DOT text for Graphviz.',
      load: async () => (await import('./draw.js')).draw,
    },
  ],
  [
    'data',
    {
      summary: 'Fetches CIFAR-10 into the cache unless it is there, and verifies it.',
      load: async () => (await import('./data.js')).data,
    },
  ],
  [
    'info',
    {
      summary: 'Hardware, TensorFlow version, threads, and the precision that training would use.',
      load: async () => (await import('./info.js')).info,
    },
  ],
  [
    'kernel',
    {
      summary:
        'The Jupyter kernel for TypeScript: install it into a Jupyter, remove it, or run it.',
      load: async () => (await import('./kernel.js')).kernel,
    },
  ],
  [
    'worker',
    {
      summary:
        'One run of a sweep: a job as JSON on standard input, events as JSON lines. "sweep" starts these.',
      load: async () => (await import('./worker.js')).worker,
    },
  ],
]);
