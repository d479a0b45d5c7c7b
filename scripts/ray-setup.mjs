// Installs Ray, which `cifar10-fast sweep --ray` and `npm run test:ray` need, in .venv-ray, apart from everything else.
//
//   node scripts/ray-setup.mjs            what is set up already is left alone
//   node scripts/ray-setup.mjs --clean    removes it
//
// Versions and hashes are those of setup/lock-ray.txt; docs/setup.md says how that file is made. A cluster's nodes must
// have the same version of Ray and the same minor version of Python as its driver, so PYTHON may name which one to use.
import { setUpVenv } from './venv.mjs';

setUpVenv(import.meta.url, {
  name: 'ray',
  title: 'Ray',
  leastPython: [3, 10],
  probe: 'import ray; print(ray.__version__)',
});
