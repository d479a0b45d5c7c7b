// Starts JupyterLab or Jupyter Notebook 7 of .venv for tests, on a given folder and with settings of its own.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './notebook-files.mjs';

const bin = join(root, '.venv/bin');

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The URL path under which each program opens a notebook. */
const pathOf = { lab: 'lab/tree', notebook: 'notebooks' };

/** Starts Jupyter's `program` on a folder of notebooks. It neither reads nor changes the user's settings. */
export async function startJupyter(folder, { program, theme, scale }) {
  const home = mkdtempSync(join(folder, 'home-'));
  const settings = join(home, 'settings');
  const set = (extension, name, value) => {
    mkdirSync(join(settings, '@jupyterlab', extension), { recursive: true });
    writeFileSync(
      join(settings, '@jupyterlab', extension, `${name}.jupyterlab-settings`),
      JSON.stringify(value),
    );
  };
  set('apputils-extension', 'themes', { theme: `JupyterLab ${theme}` });
  set('apputils-extension', 'notification', { fetchNews: 'false', checkForUpdates: false });
  // Keeps every cell in the page, even those out of view.
  set('notebook-extension', 'tracker', { windowingMode: 'none' });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    join(bin, `jupyter-${program}`),
    [
      ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
      '--no-browser',
      `--port=${port}`,
      '--IdentityProvider.token=browser',
      `--ServerApp.root_dir=${folder}`,
    ],
    {
      detached: true,
      env: {
        ...process.env,
        PATH: `${bin}:${process.env.PATH}`,
        JUPYTER_CONFIG_DIR: join(home, 'config'),
        JUPYTER_DATA_DIR: join(home, 'data'),
        JUPYTERLAB_SETTINGS_DIR: settings,
        JUPYTERLAB_WORKSPACES_DIR: join(home, 'workspaces'),
        CIFAR10_FAST_SCALE: scale,
        CIFAR10_FAST_RUNS: join(home, 'runs'),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/api?token=browser`).catch(() => undefined);
    if (answer?.ok) break;
    if (tries > 120 || child.exitCode !== null)
      throw new Error(`jupyter-${program} does not start:\n${stderr}`);
    await sleep(500);
  }
  const kernels = () => fetch(`${url}/api/kernels?token=browser`).then((answer) => answer.json());
  return {
    open: (name) => `${url}/${pathOf[program]}/${name}.ipynb?token=browser`,
    /** Waits until a page is connected to an idle kernel. Before that, "Run All Cells" runs no cell. */
    async kernelIsReady() {
      const isReady = ({ connections, execution_state: state }) =>
        connections > 0 && state === 'idle';
      for (let tries = 0; !(await kernels()).some(isReady); tries++) {
        if (tries > 240) throw new Error('the kernel is not ready after two minutes');
        await sleep(500);
      }
    },
    async stop() {
      // Shuts down the kernels first: they outlive a server that is only sent a signal.
      for (const { id } of await kernels()) {
        await fetch(`${url}/api/kernels/${id}?token=browser`, { method: 'DELETE' }).catch(
          () => undefined,
        );
      }
      const ended = new Promise((resolve) => child.on('exit', resolve));
      process.kill(child.pid, 'SIGTERM');
      await ended;
    },
  };
}
