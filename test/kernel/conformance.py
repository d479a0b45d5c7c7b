"""Runs jupyter_kernel_test against one kernel and prints the result of each test, as a line of JSON.

    conformance.py KERNEL_NAME

A test with a failing subtest counts as failed. The caller sets JUPYTER_PATH to where the kernelspec is.
"""

import io
import json
import sys
import unittest

import jupyter_kernel_test

NAME = sys.argv[1]
IS_STOCK = NAME == "stock"


class Kernel(jupyter_kernel_test.KernelTests):
    kernel_name = NAME
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oops')"
    completion_samples = [
        {"text": "consol", "matches": {"console"}},
        {"text": "JSON.str", "matches": {"stringify"}},
        {"text": "Number.isSafe", "matches": {"isSafeInteger"}},
    ]
    complete_code_samples = ["1", "let x = 1;", "function f() {\n  return 2\n}", "`a`", "await 1", ""]
    incomplete_code_samples = ["function f() {", "[1, 2,", "f(`a", "/* a", "const x =", "if (true) {\n  1"]
    invalid_code_samples = ["let = = 3", "'abc", "f(}", "1 +* 2"]
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "[1, 2].map((x) => 2 * x)", "result": "[ 2, 4 ]"},
        {"code": "({ a: 1 })", "result": "{ a: 1 }"},
    ]
    code_display_data = [
        {"code": "import { display } from 'tslab'; display.html('<b>b</b>')", "mime": "text/html"},
        {"code": "display.png(new Uint8Array([137, 80]))", "mime": "image/png"},
    ]
    code_generate_error = "throw new RangeError('test')"
    code_history_pattern = "6 [*] 7"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "console"
    # Stock tslab has neither of these.
    code_clear_output = "" if IS_STOCK else "import { clearOutput } from 'cifar10-fast'; clearOutput()"
    code_page_something = "" if IS_STOCK else "console?"


class Welcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = NAME
    support_iopub_welcome = not IS_STOCK


class Result(unittest.TestResult):
    """The state of each test by its name, with the reason unless it passed."""

    def __init__(self):
        super().__init__()
        self.states = {}

    def note(self, test, state, why=""):
        name = getattr(test, "test_case", test)._testMethodName.replace("test_", "", 1)
        if self.states.get(name, ("",))[0] != "fail":
            self.states[name] = (state, why)

    def addSuccess(self, test):
        self.states.setdefault(test._testMethodName.replace("test_", "", 1), ("pass", ""))

    def addSkip(self, test, reason):
        self.note(test, "skip", reason)

    def addFailure(self, test, err):
        self.note(test, "fail", "%s: %s" % (err[0].__name__, err[1]))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(test, err)


def main():
    result = Result()
    real, sys.stdout = sys.stdout, io.StringIO()
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    try:
        unittest.TestSuite([load(Kernel), load(Welcome)]).run(result)
    finally:
        sys.stdout = real
    print(json.dumps({name: {"state": state, "why": why} for name, (state, why) in result.states.items()}))


main()
