import type { Layer } from './spec';

/**
 * Describes a layer: its kind, then its parameters, as in `conv(cin=3, cout=64, size=3, stride=1, padding=1, bias=false)`.
 *
 * Numbers have six significant digits; arrays of more than eight values, such as weights, are shown by their length.
 */
export function describe(layer: Layer): string {
  const parameters = Object.entries(layer).filter(
    ([key, value]) => key !== 'kind' && value !== undefined,
  );
  const parts = parameters.map(([key, value]) => `${key}=${describeValue(value)}`);
  return parts.length === 0 ? layer.kind : `${layer.kind}(${parts.join(', ')})`;
}

function describeValue(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  if (typeof value === 'string') return value;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const list = value as unknown as ArrayLike<unknown>;
    if (list.length > 8) return `[${list.length} values]`;
    return `[${Array.from(list, describeValue).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const parts = Object.entries(value).map(([key, part]) => `${key}=${describeValue(part)}`);
    return `{${parts.join(', ')}}`;
  }
  return String(value);
}
