#!/usr/bin/env bash
# plotly.js 4 adds a "Share chart..." button to every figure, which uploads its data to cloud.plotly.com after a confirmation.
#
# In 3.7 there is no such button unless the configuration asks for it. Since 4.0 `showSendToCloud` is true by default, and
# `plotlyServerURL` is Plotly's: pages whose data must not leave the machine need `showSendToCloud: false`. The release notes do not
# mark the change as breaking.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund old@npm:plotly.js-dist@3.7.0 new@npm:plotly.js-dist@4.1.1 playwright-core@1.65.1
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo 'SKIPPED: no Chromium on PATH'
  exit 0
}
cat >look.cjs <<'JS'
const { chromium } = require('playwright-core');
(async () => {
  const browser = await chromium.launch({ executablePath: process.argv[2], args: ['--no-sandbox'] });
  const buttons = {};
  for (const name of ['old', 'new']) {
    const page = await browser.newPage();
    await page.setContent('<div id="plot"></div>');
    await page.addScriptTag({ path: require.resolve(name) });
    const version = await page.evaluate(async () => {
      await window.Plotly.newPlot('plot', [{ x: [1, 2], y: [1, 2] }]);
      return window.Plotly.version;
    });
    const titles = await page.locator('.modebar-btn').evaluateAll((all) => all.map((one) => one.dataset.title));
    buttons[version] = titles.filter((title) => /share chart/i.test(title ?? ''));
  }
  await browser.close();
  console.log(JSON.stringify(buttons));
  const [before, after] = Object.values(buttons);
  process.exitCode = before.length === 0 && after.length === 1 ? 0 : 1;
})();
JS
node look.cjs "$browser" || { echo 'changed: the button is not there by default'; exit 1; }
