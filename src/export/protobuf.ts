import { Writer } from 'protobufjs/minimal';

/** Writes the fields of a protobuf message. */
export type Write = (to: Writer) => void;

/** The bytes of a message. */
export function encode(write: Write): Uint8Array {
  const file = Writer.create();
  write(file);
  return file.finish();
}

const wire = { varint: 0, bytes: 2, fixed32: 5 } as const;

function tag(field: number, type: number): number {
  return (field << 3) | type;
}

/** Writes a message field. */
export function message(to: Writer, field: number, write: Write): void {
  to.uint32(tag(field, wire.bytes)).fork();
  write(to);
  to.ldelim();
}

/** Writes a string field. */
export function text(to: Writer, field: number, content: string): void {
  to.uint32(tag(field, wire.bytes)).string(content);
}

/** Writes an integer field. Negative numbers take ten bytes, as the format requires. */
export function varint(to: Writer, field: number, value: number): void {
  to.uint32(tag(field, wire.varint)).int64(value);
}

/** Writes an entry of a map from strings to messages. */
export function entry(to: Writer, field: number, key: string, value: Write): void {
  message(to, field, (pair) => {
    text(pair, 1, key);
    message(pair, 2, value);
  });
}

/** Writes a float32 field. */
export function float(to: Writer, field: number, value: number): void {
  to.uint32(tag(field, wire.fixed32)).float(value);
}

/** Writes the bytes of an array. */
export function bytes(to: Writer, field: number, data: ArrayBufferView): void {
  const content = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  to.uint32(tag(field, wire.bytes)).bytes(content);
}

/** Writes a packed repeated field of integers. */
export function integersOf(to: Writer, field: number, values: readonly number[]): void {
  message(to, field, (list) => {
    for (const value of values) list.int64(value);
  });
}
