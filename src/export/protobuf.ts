import { Writer } from 'protobufjs/minimal';

/** Writes the fields of a message of protocol buffers. */
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

/** A field that is a message. */
export function message(to: Writer, field: number, write: Write): void {
  to.uint32(tag(field, wire.bytes)).fork();
  write(to);
  to.ldelim();
}

/** A field that is a text. */
export function text(to: Writer, field: number, content: string): void {
  to.uint32(tag(field, wire.bytes)).string(content);
}

/** A whole number; negative ones take ten bytes, as the format has it. */
export function varint(to: Writer, field: number, value: number): void {
  to.uint32(tag(field, wire.varint)).int64(value);
}

/** An entry of a map from texts to messages. */
export function entry(to: Writer, field: number, key: string, value: Write): void {
  message(to, field, (pair) => {
    text(pair, 1, key);
    message(pair, 2, value);
  });
}

/** A number as float32. */
export function float(to: Writer, field: number, value: number): void {
  to.uint32(tag(field, wire.fixed32)).float(value);
}

/** The bytes of an array. */
export function bytes(to: Writer, field: number, data: ArrayBufferView): void {
  const content = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  to.uint32(tag(field, wire.bytes)).bytes(content);
}

/** A repeated field of whole numbers, packed. */
export function integersOf(to: Writer, field: number, values: readonly number[]): void {
  message(to, field, (list) => {
    for (const value of values) list.int64(value);
  });
}
