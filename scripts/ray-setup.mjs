// Installs Ray, which `cifar10-fast sweep --ray` and `npm run test:ray` need, into .venv-ray, an environment of its own.
//
//   node scripts/ray-setup.mjs            installs it, unless it is up to date
//   node scripts/ray-setup.mjs --clean    removes it
//
// Versions and hashes are pinned in setup/lock-ray.txt; docs/setup.md describes how to update that file. A cluster's nodes
// must have the same version of Ray and the same minor version of Python as its driver; the variable PYTHON selects a Python.
import { setUpVenv } from './venv.mjs';

setUpVenv(import.meta.url, {
  name: 'ray',
  title: 'Ray',
  leastPython: [3, 10],
  probe: 'import ray; print(ray.__version__)',
});
