import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { KernelError } from '../base/errors';

/** What a client tells a kernel about the sockets between them: the connection file. */
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

/** A request as it came over a socket. JSON parts are text until someone needs them. */
export interface Request {
  readonly channel: 'shell' | 'control';
  /** Where the reply goes. */
  readonly idents: readonly Uint8Array[];
  readonly type: string;
  /** The header, as it is quoted in everything that is sent about the request. */
  readonly header: string;
  readonly content: string;
}

/** A message on its way to the clients. */
export interface Outgoing {
  readonly channel: 'iopub' | 'shell' | 'control';
  readonly idents: readonly Uint8Array[];
  readonly type: string;
  /** The header of the request that it is about, `{}` if about none. */
  readonly parent: string;
  readonly metadata: string;
  readonly content: string;
}

/** The version of Jupyter's messaging protocol that is spoken here. */
export const protocolVersion = '5.4';

const delimiter = '<IDS|MSG>';
const session = randomUUID();
let sent = 0;

/**
 * Reads a message of the wire protocol.
 *
 * @throws KernelError for a message that is no such, or that was signed with another key
 */
export function decode(
  { key }: Pick<Connection, 'key'>,
  channel: Request['channel'],
  frames: readonly Uint8Array[],
): Request {
  const at = frames.findIndex((frame) => Buffer.from(frame).toString('latin1') === delimiter);
  const [signature, ...parts] = frames.slice(at + 1).map((frame) => Buffer.from(frame));
  if (at < 0 || parts.length < 4) {
    throw new KernelError(
      `kernel: a message on ${channel} has ${frames.length} frames, not those of the protocol.`,
    );
  }
  const body = parts.slice(0, 4);
  if (key !== '') {
    const expected = Buffer.from(sign(key, body));
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new KernelError(`kernel: a message on ${channel} has a signature of another key.`);
    }
  }
  const [header, , , content] = body.map(String);
  const { msg_type: type } = JSON.parse(header) as { msg_type: string };
  return { channel, idents: frames.slice(0, at), type, header, content };
}

/** Writes a message of the wire protocol, with a new id and signed. */
export function encode(
  { key }: Pick<Connection, 'key'>,
  message: Outgoing,
): (Uint8Array | string)[] {
  const { idents, type, parent, metadata, content } = message;
  const header = JSON.stringify({
    msg_id: `${session}_${(sent += 1)}`,
    session,
    username: 'kernel',
    date: new Date().toISOString(),
    msg_type: type,
    version: protocolVersion,
  });
  const body = [header, parent, metadata, content];
  return [...idents, delimiter, key === '' ? '' : sign(key, body), ...body];
}

function sign(key: string, parts: readonly (string | Uint8Array)[]): string {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}
