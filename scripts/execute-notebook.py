"""Executes a notebook from top to bottom in a new kernel: execute-notebook.py KERNEL FOLDER IN OUT TIMEOUT.

Cells run in FOLDER. OUT is written even if a cell fails; the exit code is then 1, and the cell's error is printed to
standard error. The wall time of each code cell is stored in its metadata: execution.seconds.
"""

import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

kernel, folder, source, target, timeout = sys.argv[1:]
started = {}


def begin(cell, cell_index):
    started[cell_index] = time.monotonic()


def end(cell, cell_index, execute_reply):
    seconds = time.monotonic() - started[cell_index]
    cell["metadata"]["execution"] = {"seconds": round(seconds, 2)}


notebook = nbformat.read(source, as_version=4)
client = NotebookClient(
    notebook,
    kernel_name=kernel,
    timeout=float(timeout),
    resources={"metadata": {"path": folder}},
    coalesce_streams=True,
    record_timing=False,
    on_cell_execute=begin,
    on_cell_executed=end,
)
code = 0
try:
    client.execute()
except CellExecutionError as error:
    print(error, file=sys.stderr)
    code = 1
finally:
    nbformat.write(notebook, target)
sys.exit(code)
