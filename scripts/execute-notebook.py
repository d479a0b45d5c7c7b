"""Executes a notebook from top to bottom in a new kernel: execute-notebook.py KERNEL FOLDER IN OUT TIMEOUT.

FOLDER is where its cells run. OUT is written even if a cell fails; then the exit code is 1, and the cell's own words are
on standard error. Times of the cells are in their metadata, as Jupyter keeps them.
"""

import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

kernel, folder, source, target, timeout = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
client = NotebookClient(
    notebook,
    kernel_name=kernel,
    timeout=float(timeout),
    resources={"metadata": {"path": folder}},
    coalesce_streams=True,
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
