/** When a node of a graph ran, and for how long. */
export interface NodeTime {
  /** The name of the node, such as `Conv2D_12`, or TensorFlow's own if its optimiser created the node. */
  readonly name: string;
  /** The operation that ran; if the optimiser replaced it, the replacement, such as `_FusedConv2D`. */
  readonly op: string;
  /** Microseconds since an arbitrary moment, the same for all nodes. */
  readonly startUs: number;
  readonly durationUs: number;
}

/** The total time of the operations of one kind. */
export interface OperationTime {
  readonly op: string;
  readonly count: number;
  readonly ms: number;
  /** Share of the time of all operations. Concurrent operations count in full. */
  readonly share: number;
}

/** Sums a profile by operation, the slowest first. */
export function summariseProfile(nodes: readonly NodeTime[]): OperationTime[] {
  const sums = new Map<string, { count: number; ms: number }>();
  let total = 0;
  for (const { op, durationUs } of nodes) {
    const sum = sums.get(op) ?? { count: 0, ms: 0 };
    sum.count += 1;
    sum.ms += durationUs / 1000;
    sums.set(op, sum);
    total += durationUs / 1000;
  }
  return [...sums]
    .map(([op, { count, ms }]) => ({ op, count, ms, share: total === 0 ? 0 : ms / total }))
    .toSorted((a, b) => b.ms - a.ms);
}

/** Numbers of the message fields that are read here, from tensorflow/core/framework/step_stats.proto. */
const field = {
  runMetadata: { stepStats: 1 },
  stepStats: { devices: 1 },
  device: { nodes: 2 },
  node: { name: 1, startUs: 2, opStartUs: 3, opEndUs: 4, label: 8 },
} as const;

/** The times of nodes in a serialised `RunMetadata`. */
export function parseRunMetadata(bytes: ArrayBuffer): NodeTime[] {
  const nodes: NodeTime[] = [];
  for (const stats of messages(new Uint8Array(bytes), field.runMetadata.stepStats)) {
    for (const device of messages(stats, field.stepStats.devices)) {
      for (const node of messages(device, field.device.nodes)) {
        const read = [...fields(node)];
        const numberOf = (wanted: number): number =>
          Number(
            read.find(({ id, value }) => id === wanted && typeof value === 'bigint')?.value ?? 0,
          );
        const textOf = (wanted: number): string => {
          const value = read.find(({ id }) => id === wanted)?.value;
          return value instanceof Uint8Array ? new TextDecoder().decode(value) : '';
        };
        const name = textOf(field.node.name);
        // The label reads `name = Op(inputs)`.
        const op = / = (\w+)\(/.exec(textOf(field.node.label))?.[1] ?? name;
        const start = numberOf(field.node.opStartUs);
        nodes.push({
          name,
          op,
          startUs: numberOf(field.node.startUs) + start,
          durationUs: numberOf(field.node.opEndUs) - start,
        });
      }
    }
  }
  return nodes;
}

function* messages(bytes: Uint8Array, wanted: number): Generator<Uint8Array> {
  for (const { id, value } of fields(bytes)) {
    if (id === wanted && value instanceof Uint8Array) yield value;
  }
}

/** The fields of a protocol buffer: numbers, and the bytes of strings and messages; others are skipped. */
function* fields(
  bytes: Uint8Array,
): Generator<{ readonly id: number; readonly value: bigint | Uint8Array }> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const id = tag >>> 3;
    switch (tag & 7) {
      case 0:
        yield { id, value: varint() };
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const size = Number(varint());
        yield { id, value: bytes.subarray(at, at + size) };
        at += size;
        break;
      }
      default:
        at += 4;
    }
  }
}
