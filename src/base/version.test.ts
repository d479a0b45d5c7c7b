import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { version } from './version';

test('is that of the package', () => {
  const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
  expect(JSON.parse(text)).toMatchObject({ version });
});
