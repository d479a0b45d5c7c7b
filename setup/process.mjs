// Child processes of set-up: their output goes to a log that is shown only if they fail; signals reach them.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './output.mjs';

const running = new Set();
let interruptedBy;
let isEnding = false;

/** Runs a program to its end; never settles after an interrupt, because the handler below ends the process. */
function start(command, args, options) {
  if (isEnding) return Promise.resolve({ ok: false });
  return new Promise((settle) => {
    const child = spawn(command, args, options);
    running.add(child);
    child.on('error', () => settle({ ok: false }));
    child.on('close', (status, signal) => {
      running.delete(child);
      if (interruptedBy === undefined) settle({ ok: status === 0, status, signal });
    });
  });
}

/**
 * Runs a command in the checkout, without input.
 *
 * @param context `root`, and `scratch` for the log; commands that run at the same time need one each
 * @param options `env` adds variables; `stdout` is the path of a file for standard output (default: the log)
 * @returns { ok, status, signal }; status is null if a signal ended the command, undefined if it could not start
 */
export async function run(context, command, args, { env = {}, stdout } = {}) {
  const log = openSync(logOf(context), 'w');
  const out = stdout === undefined ? log : openSync(stdout, 'w');
  try {
    return await start(command, args, {
      cwd: context.root,
      env: { ...process.env, ...env },
      // Children keep the locks open: while a child of a killed set-up runs, no other set-up starts.
      stdio: ['ignore', out, log, ...context.locks.values()],
    });
  } finally {
    closeSync(log);
    if (out !== log) closeSync(out);
  }
}

/** Locks an open file with flock(1), as its descriptor 3; the arguments are flock's options. */
export const flock = (descriptor, ...options) =>
  start('flock', [...options, '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] });

/** Ends the running commands and waits for them; later ones do not start. */
export async function endChildren() {
  isEnding = true;
  await Promise.all(
    [...running].map((child) => {
      child.kill();
      return new Promise((settle) => child.on('close', settle));
    }),
  );
}

/** After SIGINT, SIGTERM or SIGHUP, calls `end` with the exit code once the running commands have ended. */
export function onInterrupt(end) {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.on(signal, () => {
      if (interruptedBy !== undefined) return;
      interruptedBy = signal;
      if (running.size === 0) end(code);
      for (const child of running) {
        child.on('close', () => {
          if (running.size === 0) end(code);
        });
        child.kill(signal);
      }
    });
  }
}

const logOf = ({ scratch }) => join(scratch, 'log');

/** The last lines of what the last command printed. */
export function logTail(context, lines) {
  return readFileSync(logOf(context), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

const noSpace = /ENOSPC|no space left/i;
const wrongHash = /do not match the hashes|EINTEGRITY|hash mismatch/i;
const noNetwork = new RegExp(
  [
    'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET|ENOTCACHED',
    'NewConnectionError|Connection (refused|reset|aborted)|timed out|Name or service not known|name resolution',
    'Network is unreachable|ProxyError|SSLError|No matching distribution',
  ].join('|'),
  'i',
);

/**
 * The error for a failed command, chosen by its log.
 *
 * @param what could not be done, as in 'npm ci failed'
 * @param folder that the command wrote to
 */
export function failureFromLog(context, what, folder) {
  const log = readFileSync(logOf(context), 'utf8');
  if (noSpace.test(log))
    return new SetupError(
      `${what}: no space left on the disk of ${folder}.`,
      'Free some space and run ./kernel-setup.sh again; it resumes where it stopped.',
    );
  if (wrongHash.test(log))
    return new SetupError(
      `${what}: the download is not the locked file (its hash differs).`,
      logTail(context, 6),
      'It was discarded. Run ./kernel-setup.sh again; if the error persists, a proxy or mirror alters files.',
    );
  if (noNetwork.test(log))
    return new SetupError(
      `${what}: the package registry did not respond, or does not have it.`,
      logTail(context, 3),
      'Check the network (HTTPS_PROXY is honoured) and run ./kernel-setup.sh again, or fetch the files elsewhere and',
      'name their folder: ./kernel-setup.sh --offline DIR (docs/setup.md lists them).',
    );
  return new SetupError(`${what}:`, logTail(context, 12));
}
