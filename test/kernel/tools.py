"""Runs Python tools on one kernel; prints a line of JSON, name of the check -> result.

    tools.py KERNEL_NAME FOLDER

Notebooks are written into FOLDER, where they run. The caller sets JUPYTER_PATH to where the kernelspec is.
"""

import json
import os
import subprocess
import sys

import nbformat
import pexpect
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

KERNEL, FOLDER = sys.argv[1:]
BIN = os.path.dirname(sys.executable)
GOOD = ["const a: number = 1;", "console.log('hello');", "a + 1"]
THROWS = ["const a = 1;", "if (a === 1) throw new Error('on purpose');", "console.log('after');", "a + 1"]
UNTYPED = ["const a: number = 'text';"]


def notebook(name, cells):
    metadata = {"kernelspec": {"name": KERNEL, "display_name": KERNEL, "language": "typescript"}}
    book = nbformat.v4.new_notebook(metadata=metadata)
    book.cells = [nbformat.v4.new_code_cell(cell, id="c%d" % at) for at, cell in enumerate(cells)]
    path = os.path.join(FOLDER, name + ".ipynb")
    nbformat.write(book, path)
    return path


def code_of(*command):
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120)
    return done.returncode


def tool(name):
    return os.path.join(BIN, name)


def outputs(cell):
    return ["".join(out.get("text", out.get("ename", ""))) or out["output_type"] for out in cell.outputs]


def with_nbclient(path, **options):
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(book, kernel_name=KERNEL, timeout=60, resources={"metadata": {"path": FOLDER}}, **options)
    try:
        client.execute()
    except CellExecutionError as error:
        return book, "failed: %s: %s" % (error.ename, error.evalue)
    except CellTimeoutError:
        return book, "timed out"
    return book, "passed"


def console(source, expected):
    """Runs a cell in `jupyter console` on a terminal, interrupts a loop, and ends the console; "passed" or the failure."""
    arguments = ["console", "--ZMQTerminalInteractiveShell.confirm_exit=False", "--kernel", KERNEL]
    child = pexpect.spawn(tool("jupyter"), arguments, cwd=FOLDER, timeout=40, encoding="utf-8",
                          dimensions=(30, 100), env=dict(os.environ, TERM="xterm"))
    try:
        child.expect(r"In \[")
        child.send(source + "\r")
        child.expect(expected)
        child.send("while (true) {}\r")
        child.expect(r"In \[.*while")
        child.expect(pexpect.TIMEOUT, timeout=2)
        child.sendintr()
        child.expect("InterruptedError")
        child.send("1 + 99\r")
        child.expect("100")
        child.expect(r"In \[")
        # The prompt is drawn before the console reads keys: early ones are lost.
        for _ in range(10):
            child.sendeof()
            if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=3) == 0:
                return "passed"
        return "failed: it does not end"
    except (pexpect.TIMEOUT, pexpect.EOF) as error:
        return "failed: %s; %s" % (type(error).__name__, (child.before or "")[-300:])
    finally:
        child.close(force=True)


def main():
    good, throws = notebook("good", GOOD), notebook("throws", THROWS)
    untyped = notebook("untyped", UNTYPED)
    found = {}

    book, found["nbclient, good"] = with_nbclient(good)
    found["nbclient, counts and outputs"] = [[cell.execution_count, outputs(cell)] for cell in book.cells]
    _, found["nbclient, throws"] = with_nbclient(throws)
    _, found["nbclient, does not compile"] = with_nbclient(untyped)
    book, found["nbclient, errors allowed"] = with_nbclient(throws, allow_errors=True)
    found["nbclient, outputs after the error"] = [outputs(cell) for cell in book.cells]
    loop = notebook("loop", ["const b = 2;", "while (true) {}", "b + 1"])
    book = nbformat.read(loop, as_version=4)
    client = NotebookClient(book, kernel_name=KERNEL, timeout=3, interrupt_on_timeout=True, allow_errors=True,
                            resources={"metadata": {"path": FOLDER}})
    client.execute()
    found["nbclient, interrupt on timeout"] = [outputs(cell) for cell in book.cells]

    convert = [tool("jupyter"), "nbconvert", "--to", "notebook", "--execute", "--stdout"]
    found["nbconvert, good"] = code_of(*convert, good)
    found["nbconvert, throws"] = code_of(*convert, throws)
    found["nbconvert, --allow-errors"] = code_of(*convert, "--allow-errors", throws)
    done = os.path.join(FOLDER, "papermill.ipynb")
    found["papermill, good"] = code_of(tool("papermill"), good, done)
    found["papermill, throws"] = code_of(tool("papermill"), throws, done)
    pytest = [tool("pytest"), "-q", "-p", "no:cacheprovider"]
    found["nbmake, good"] = code_of(*pytest, "--nbmake", good)
    found["nbmake, throws"] = code_of(*pytest, "--nbmake", throws)
    found["nbmake, does not compile"] = code_of(*pytest, "--nbmake", untyped)
    book, _ = with_nbclient(good)
    recorded = os.path.join(FOLDER, "recorded.ipynb")
    nbformat.write(book, recorded)
    found["nbval, good"] = code_of(*pytest, "--nbval", recorded)
    found["nbval, throws"] = code_of(*pytest, "--nbval", throws)

    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel(cwd=FOLDER)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute_interactive("const c = 3", timeout=30)
    manager.restart_kernel(now=False)
    client.wait_for_ready(timeout=60)
    seen = []
    reply = client.execute_interactive("c", timeout=30, output_hook=seen.append)
    found["jupyter_client, restarted"] = reply["content"].get("evalue")
    client.stop_channels()
    manager.shutdown_kernel()
    found["jupyter_client, shut down"] = not manager.is_alive()

    found["console"] = console("6 * 7", "42")
    print(json.dumps(found))


main()
