"""Extracts what TensorFlow's addon needs from a wheel, and nothing else.

    unpack.py FOLDER SHA256 WHEEL...

Unpacks the first WHEEL with the locked SHA256 over FOLDER. If there is none, exits with code 3 and a message with the size
and digest of each. Every file is checked against the wheel's own RECORD while it is written. Finally, the digests are
written to FOLDER/.wheels/NAME-VERSION.sha256, in the format of `sha256sum -c`: if that file exists, the wheel was unpacked
completely. Needs only the standard library of Python 3.9 or later; no network.
"""

import base64
import csv
import hashlib
import io
import os
import sys
import zipfile

LIBRARIES = (
    "tensorflow/libtensorflow_cc.so.2",
    "tensorflow/libtensorflow_framework.so.2",
)

# What the addon's two source files include, directly or indirectly.
HEADERS = tuple(
    "tensorflow/include/" + name
    for name in (
        "tensorflow/c/c_api.h",
        "tensorflow/c/c_api_macros.h",
        "tensorflow/c/eager/c_api.h",
        "tensorflow/c/tf_attrtype.h",
        "tensorflow/c/tf_buffer.h",
        "tensorflow/c/tf_datatype.h",
        "tensorflow/c/tf_status.h",
        "tensorflow/c/tf_tensor.h",
        "tensorflow/c/tf_tstring.h",
        "tensorflow/core/platform/ctstring.h",
        "tensorflow/core/platform/ctstring_internal.h",
        "tsl/platform/ctstring.h",
        "tsl/platform/ctstring_internal.h",
        "xla/tsl/c/tsl_status.h",
    )
)

CHUNK = 1 << 20


def is_wanted(name):
    """From TensorFlow's wheel, the libraries and headers above; from an nvidia wheel, everything needed at run time."""
    if name.startswith("tensorflow/"):
        return name in LIBRARIES or name in HEADERS
    if not name.startswith("nvidia/") or name.endswith("/"):
        return False
    return "/include/" not in name and not name.endswith((".a", ".py", ".pyc", ".h"))


def file_sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def locked(paths, sha256):
    """The first of `paths` that has the locked digest; exits with code 3 if there is none."""
    found = []
    for path in paths:
        actual = file_sha256(path)
        if actual == sha256:
            return path
        found.append(
            "%s (%d bytes) has SHA-256 %s..." % (os.path.basename(path), os.path.getsize(path), actual[:16])
        )
    sys.stderr.write("%s, expected %s...\n" % ("; ".join(found), sha256[:16]))
    sys.exit(3)


def recorded(wheel):
    """Path -> SHA-256 in hexadecimal, from the wheel's RECORD."""
    record = next(name for name in wheel.namelist() if name.endswith(".dist-info/RECORD"))
    rows = csv.reader(io.StringIO(wheel.read(record).decode("utf-8")))
    digests = {}
    for path, digest, _size in rows:
        if digest.startswith("sha256="):
            raw = digest[len("sha256=") :]
            digests[path] = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).hex()
    return digests


def extract(wheel, member, folder, expected):
    """Writes one member and checks it; executables stay executable."""
    target = os.path.join(folder, member.filename)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    digest = hashlib.sha256()
    with wheel.open(member) as source, open(target, "wb") as sink:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            digest.update(chunk)
            sink.write(chunk)
    if digest.hexdigest() != expected:
        sys.stderr.write("%s differs from the wheel's own RECORD\n" % member.filename)
        sys.exit(3)
    is_program = (member.external_attr >> 16) & 0o100
    os.chmod(target, 0o755 if is_program else 0o644)


def main(folder, sha256, *paths):
    path = locked(paths, sha256)
    name = "-".join(os.path.basename(path).split("-")[:2])
    with zipfile.ZipFile(path) as wheel:
        digests = recorded(wheel)
        members = [member for member in wheel.infolist() if is_wanted(member.filename)]
        wanted = {member.filename for member in members}
        absent = [] if not name.startswith("tensorflow") else sorted(set(LIBRARIES + HEADERS) - wanted)
        if absent or not members:
            sys.stderr.write("%s lacks %s\n" % (os.path.basename(path), ", ".join(absent) or "any library"))
            sys.exit(3)
        for member in members:
            extract(wheel, member, folder, digests[member.filename])
    notes = os.path.join(folder, ".wheels")
    os.makedirs(notes, exist_ok=True)
    partial = os.path.join(notes, name + ".partial")
    with open(partial, "w", encoding="utf-8") as file:
        for filename in sorted(wanted):
            file.write("%s  %s\n" % (digests[filename], filename))
    os.replace(partial, os.path.join(notes, name + ".sha256"))


if __name__ == "__main__":
    main(*sys.argv[1:])
