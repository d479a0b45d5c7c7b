import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { KernelError } from '../base/errors';

/** The connection file: a client's description of the sockets between it and the kernel. */
export interface Connection {
  readonly transport: string;
  readonly ip: string;
  readonly key: string;
  readonly signature_scheme: string;
  readonly shell_port: number;
  readonly control_port: number;
  readonly stdin_port: number;
  readonly iopub_port: number;
  readonly hb_port: number;
}

/** A request as received from a socket. JSON parts stay text until they are needed. */
export interface Request {
  readonly channel: 'shell' | 'control' | 'stdin';
  /** Where the reply goes. */
  readonly idents: readonly Uint8Array[];
  readonly type: string;
  /** The header, quoted as the parent in every message about the request. */
  readonly header: string;
  readonly content: string;
}

/** A message on its way to the clients. */
export interface Outgoing {
  readonly channel: 'iopub' | 'shell' | 'control' | 'stdin';
  readonly idents: readonly Uint8Array[];
  readonly type: string;
  /** The header of the request that it belongs to; `{}` if none. */
  readonly parent: string;
  readonly metadata: string;
  readonly content: string;
}

/** The version of Jupyter's messaging protocol that this kernel speaks. */
export const protocolVersion = '5.4';

const delimiter = '<IDS|MSG>';
const session = randomUUID();
let sent = 0;

/** How messages of a connection are signed. */
type Signing = Pick<Connection, 'key' | 'signature_scheme'>;

/**
 * Reads a message of the wire protocol.
 *
 * @throws KernelError for a message that breaks the protocol, is signed with another key, or is a replay
 */
export function decode(
  signing: Signing,
  channel: Request['channel'],
  frames: readonly Uint8Array[],
): Request {
  const at = frames.findIndex((frame) => Buffer.from(frame).toString('latin1') === delimiter);
  const [signature, ...parts] = frames.slice(at + 1).map((frame) => Buffer.from(frame));
  if (at < 0 || parts.length < 4) {
    throw new KernelError(
      `kernel: a message on ${channel} has ${frames.length} frames; expected "<IDS|MSG>", a signature and four parts.`,
    );
  }
  const body = parts.slice(0, 4);
  if (signing.key !== '') {
    const expected = Buffer.from(sign(signing, body));
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new KernelError(`kernel: a message on ${channel} is signed with another key.`);
    }
  }
  const [header, , , content] = body.map(String);
  const { msg_type: type } = objectIn(header, 'the header of a message') as { msg_type?: unknown };
  if (typeof type !== 'string') {
    throw new KernelError(`kernel: a message on ${channel} has no msg_type.`);
  }
  rejectReplay(channel, type, body);
  return { channel, idents: frames.slice(0, at), type, header, content };
}

/** How many digests a set holds; the current and the previous set are kept. */
const mostRemembered = 50_000;
let digests = new Set<string>();
let earlierDigests = new Set<string>();

/** Throws for a message that was received before: whoever has seen one must not be able to send it again. */
function rejectReplay(channel: string, type: string, body: readonly Buffer[]): void {
  const hash = createHash('sha256');
  for (const part of body) hash.update(part).update('\0');
  const digest = hash.digest('base64');
  if (digests.has(digest) || earlierDigests.has(digest)) {
    throw new KernelError(
      `kernel: a ${type} on ${channel} was received twice; the duplicate is ignored.`,
    );
  }
  digests.add(digest);
  if (digests.size < mostRemembered) return;
  earlierDigests = digests;
  digests = new Set();
}

/**
 * Parses the JSON object in a text.
 *
 * @param what names the text in the error message
 * @throws KernelError if the text is not a JSON object
 */
export function objectIn(text: string, what: string): Record<string, unknown> {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw new KernelError(`kernel: ${what} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) {
    return found as Record<string, unknown>;
  }
  throw new KernelError(`kernel: ${what} is not a JSON object; got ${text.slice(0, 40)}.`);
}

/** Encodes and signs a message of the wire protocol, with a new id. */
export function encode(signing: Signing, message: Outgoing): (Uint8Array | string)[] {
  const { idents, type, parent, metadata, content } = message;
  const header = JSON.stringify({
    msg_id: `${session}_${(sent += 1)}`,
    session,
    username: 'kernel',
    date: new Date().toISOString(),
    msg_type: type,
    version: protocolVersion,
  });
  const body = [header, parent, metadata, wellFormed(content)];
  return [...idents, delimiter, signing.key === '' ? '' : sign(signing, body), ...body];
}

/**
 * JSON that every reader can write to a file: a lone surrogate, which JSON allows as an escape and UTF-8 cannot encode,
 * becomes U+FFFD.
 */
export function wellFormed(json: string): string {
  if (!json.includes('\\ud')) return json;
  // `JSON.stringify` writes `\ud…` only for a lone surrogate; it doubles a backslash of the text itself.
  return json.replaceAll(/\\\\|\\ud[89a-f][0-9a-f]{2}/g, (found) =>
    found === '\\\\' ? found : '\ufffd',
  );
}

function sign(
  { key, signature_scheme: scheme }: Signing,
  parts: readonly (string | Uint8Array)[],
): string {
  const hmac = createHmac(scheme.replace(/^hmac-/, ''), key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}
