import { complete, completeness, inspectName } from './completion';
import type { Compiler } from './compiler';
import type { Declarations } from './declarations';
import type { History } from './history';
import { pointsAt, unitsAt } from './positions';

/** What {@link answer} reads. */
export interface Knowledge {
  readonly compiler: Compiler;
  readonly declarations: Declarations;
  readonly history: History;
}

/** The content of the reply to a request that runs no code; `undefined` if this kernel does not support the request. */
export function answer(
  type: string,
  content: Readonly<Record<string, unknown>>,
  { compiler, declarations, history }: Knowledge,
): object | undefined {
  const code = typeof content['code'] === 'string' ? content['code'] : '';
  const point = typeof content['cursor_pos'] === 'number' ? content['cursor_pos'] : 0;
  switch (type) {
    case 'complete_request':
      return completionReply(compiler, declarations, code, unitsAt(code, point));
    case 'inspect_request': {
      const text = inspectName(compiler, declarations, code, unitsAt(code, point));
      const data = text === undefined ? {} : { 'text/plain': text };
      return { found: text !== undefined, data, metadata: {} };
    }
    case 'is_complete_request':
      return completeness(code);
    case 'history_request': {
      const withOutput = content['output'] === true;
      return {
        history: history
          .find(content)
          .map(({ session, line, source }) => [
            session,
            line,
            withOutput ? [source, null] : source,
          ]),
      };
    }
    case 'comm_info_request':
      return { comms: {} };
    default:
      return undefined;
  }
}

function completionReply(
  compiler: Compiler,
  declarations: Declarations,
  code: string,
  position: number,
): object {
  const found = complete(compiler, declarations, code, position);
  const start = pointsAt(code, found.start);
  const end = pointsAt(code, found.end);
  return {
    matches: found.candidates.map(({ name }) => name),
    cursor_start: start,
    cursor_end: end,
    metadata: {
      _jupyter_types_experimental: found.candidates.map(({ name: text, kind: type }) => ({
        text,
        type,
        start,
        end,
      })),
    },
  };
}
