// Counts and prints the checks of a script: one line per check, and at the end `N passed, N failed`.
let passed = 0;
let failed = 0;

/** A check that passes if `faults` is empty. */
export function check(what, faults) {
  if (faults.length === 0) passed += 1;
  else failed += 1;
  console.log(`  ${faults.length === 0 ? 'ok  ' : 'FAIL'} ${what}`);
  for (const fault of faults) console.log(`       ${fault}`);
}

/** A check that passes unless `test` throws; its return value is printed as a note. */
export async function attempt(what, test) {
  try {
    const note = await test();
    passed += 1;
    console.log(`  ok   ${what}${note ? `: ${note}` : ''}`);
  } catch (error) {
    failed += 1;
    const lines = String(error.message).split('\n').slice(0, 6);
    console.log(`  FAIL ${what}\n       ${lines.join('\n       ')}`);
  }
}

export function expectSame(found, expected, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: found ${a}, expected ${b}`);
}

/** Prints the totals; the exit code is 1 if a check failed or none was made. */
export function endTally() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
