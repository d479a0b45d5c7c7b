import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resultsFolder } from '../runs/find-runs';
import { frontier } from './train-start';

test('the frontier skips files among the results that are no results', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-frontier-'));
  try {
    for (const name of readdirSync(resultsFolder).filter((file) => file.startsWith('fastest-')))
      cpSync(join(resultsFolder, name), join(folder, name));
    const whole = await frontier('fastest', folder);
    expect(whole.length).toBeGreaterThan(2);
    writeFileSync(join(folder, 'report.json'), '{"groups":[{"accPercent":94}]}');
    writeFileSync(join(folder, 'half.json'), '{"accPercent": 9');
    writeFileSync(join(folder, 'changed.json'), '{"record": "fastest", "accPercent": "high"}');
    expect(await frontier('fastest', folder)).toEqual(whole);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
