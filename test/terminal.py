"""Runs a command on its own terminal and copies everything sent to that terminal to standard output.

usage: terminal.py COLUMNS INTERRUPT COMMAND...

COLUMNS is the terminal's width; 0 makes a terminal of unknown size. INTERRUPT is a regular expression: once it matches
what was sent so far, Ctrl-C is typed, once. Give '' to type nothing. Exits with the command's code.
"""

import fcntl
import os
import pty
import re
import struct
import sys
import termios

columns, interrupt, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
# A child of a freshly forked interpreter must not run before its terminal has a size.
ready, go = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.close(go)
    os.read(ready, 1)
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
os.close(ready)
os.write(go, b"!")

seen = b""
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # Linux reports EIO once the other side is closed.
        break
    if not piece:
        break
    seen += piece
    os.write(1, piece)
    if interrupt and re.search(interrupt.encode(), seen):
        interrupt = ""
        os.write(terminal, b"\x03")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
