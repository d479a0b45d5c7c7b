import { ExportError } from '../base/errors';
import type { Graph } from '../graph/spec';
import type { AnyLayer } from '../nn/network';

/** The stages of a network and its features. */
export interface Stages {
  /** In the network's order; each holds a convolution. */
  readonly stages: readonly {
    /** The group of nodes, as in `layer1`. */
    readonly name: string;
    /** Its last node, as in `layer1/residual/add`; the value is `[N,H,W,C]`. */
    readonly path: string;
  }[];
  /** The input of the head, which is the last linear layer or convolution: the features `[N,...]` of the images. */
  readonly features: string;
}

/**
 * The stages of a network, which are its outermost groups of nodes with a convolution, and its last features before the head.
 *
 * @throws ExportError if no node has weights
 */
export function stagesOf(graph: Graph<AnyLayer>): Stages {
  const nodes = [...graph];
  const head = nodes.findLast(
    ([, { layer }]) => layer?.kind === 'linear' || layer?.kind === 'conv',
  );
  if (head === undefined) {
    throw new ExportError(
      'page: the network has neither a linear layer nor a convolution, so it has no features to compare.',
    );
  }
  const groupOf = (path: string): string => path.slice(0, Math.max(0, path.indexOf('/')));
  const [headPath, { inputs }] = head;
  const groups = new Set(
    nodes.flatMap(([path, { layer }]) => (layer?.kind === 'conv' ? [groupOf(path)] : [])),
  );
  groups.delete('');
  groups.delete(groupOf(headPath));
  const stages = [...groups].map((name) => {
    const [path] = nodes.findLast(([each]) => groupOf(each) === name) as (typeof nodes)[number];
    return { name, path };
  });
  return { stages, features: inputs[0] };
}
