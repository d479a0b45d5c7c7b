"""Runs the jobs of a sweep on a Ray cluster; `cifar10-fast sweep --ray ADDRESS` starts this.

Ray schedules each job, restarts it if its worker or node is lost, and reports its end. A job runs this package's own
`worker` command, which trains in its own folder on its node. Ray sends the folder back, so nodes need no shared disk.

Standard input, one JSON object per line:
  {"address": ..., "root": ..., "env": {...}, "retries": N, "gpus": N or null}    first
  {"jobs": [...]}                                           then any number of these; a job is what `worker` reads
  end of input: cancel the jobs that are still open and exit
Standard output, JSON lines: {"event": "connected", ...}, {"event": "fatal", "message": ...}, and for each job the events of
its worker, with {"job": id}; this script adds "assigned", "retried" and "lost".
"""

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ENDS = ("prepared", "done", "stopped", "failed")


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def fatal(message):
    say({"event": "fatal", "message": message})
    sys.exit(1)


class WorkerCrashed(Exception):
    """The worker process ended without a final event. Ray restarts the job."""


class Progress:
    """Buffers the workers' messages until the driver fetches them. An actor on the driver's own node."""

    def __init__(self):
        self.said = []

    def put(self, job, message):
        self.said.append((job, message))

    def take(self):
        said, self.said = self.said, []
        return said


def work(job, setup, progress):
    """Runs one job on the node that Ray chose; returns the worker's final event and the files of its folder."""
    import ray

    def report(message):
        # Not awaited: losing progress is harmless.
        progress.put.remote(job["id"], message)

    # The package's folder on this node; default: the driver's path.
    root = os.environ.get("CIFAR10_FAST_HOME", setup["root"])
    node = os.environ.get("CIFAR10_FAST_NODE") or shutil.which("node") or "node"
    # Without this, Ray's own *NUM_THREADS variables would win.
    env = {key: value for key, value in os.environ.items() if "NUM_THREADS" not in key}
    env.update(setup["env"])
    # Tasks that were killed on this node have left their folders behind.
    prefix = "cifar10-fast-ray-"
    for name in os.listdir(tempfile.gettempdir()):
        owner = name.removeprefix(prefix).split("-")[0]
        if name.startswith(prefix) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-")
    try:
        report({"event": "assigned", "worker": ray.util.get_node_ip_address() + "/" + ray.get_runtime_context().get_node_id()[:6]})
        with tempfile.TemporaryFile() as stderr:
            try:
                child = subprocess.Popen(
                    [node, os.path.join(root, "dist/cli/main.js"), "worker"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=env, cwd=folder,
                )
            except OSError as error:
                raise WorkerCrashed(f"{node} does not start on {socket.gethostname()}: {error}")
            last = None
            try:
                text = json.dumps({**job, "logDir": folder}) if job["kind"] == "run" else json.dumps(job)
                try:
                    # Left open: the worker stops when its stdin closes, and thus when this process dies.
                    child.stdin.write(text.encode() + b"\n")
                    child.stdin.flush()
                except BrokenPipeError:
                    pass
                last_report = 0.0
                for line in child.stdout:
                    try:
                        message = json.loads(line)
                        event = message["event"]
                    except (ValueError, TypeError, KeyError):
                        continue
                    if event in ENDS:
                        last = message
                        # The worker would now wait for another job.
                        break
                    elif event != "progress" or time.monotonic() - last_report >= 2:
                        last_report = time.monotonic()
                        report(message)
            finally:
                # Also after a cancellation or an error: let the step end, then kill the worker.
                child.stdin.close()
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
            if last is None:
                stderr.seek(0)
                words = stderr.read().decode(errors="replace").strip()[-2000:]
                raise WorkerCrashed(f"exit code {child.returncode} on {socket.gethostname()}\n{words}".strip())
        files = {}
        if last["event"] == "done":
            run = last["folder"]
            for path, _, names in os.walk(run):
                for name in names:
                    full = os.path.join(path, name)
                    with open(full, "rb") as file:
                        files[os.path.relpath(full, run)] = file.read()
        return last, files
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(log_dir, name, files):
    """Writes a run's files into a new folder of log_dir, atomically; existing files are not touched.

    A name or path that leads out of the folder is a ValueError.
    """
    if name in ("", ".", "..") or name != os.path.basename(name):
        raise ValueError(f"a run cannot be kept under the name {name!r}")
    for path in files:
        if os.path.isabs(path) or ".." in path.split(os.sep) or os.path.normpath(path) in ("", "."):
            raise ValueError(f"the run {name} holds a file called {path!r}")
    os.makedirs(log_dir, exist_ok=True)
    draft = tempfile.mkdtemp(prefix=f".{name}-", dir=log_dir)
    try:
        for path, content in files.items():
            full = os.path.join(draft, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(content)
        os.chmod(draft, 0o755)
        number = 1
        while True:
            target = os.path.join(log_dir, name if number == 1 else f"{name}-{number}")
            if not os.path.exists(target):
                os.rename(draft, target)
                return target
            number += 1
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def connect(address):
    """Connects to the cluster at a Ray address: HOST:PORT, auto, or ray://HOST:PORT."""
    try:
        import ray
    except ImportError as error:
        fatal(f"this Python ({sys.executable}) has no Ray: {error}")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        # Ray itself tries for half a minute, and its message is long.
        try:
            socket.create_connection((host.strip("[]"), int(port)), 5).close()
        except OSError as error:
            fatal(f"cannot connect to {address}: {error}")
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", configure_logging=True)
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        fatal(f"no Ray cluster at {address}: {' '.join(lines[:4]) or type(error).__name__}")
    return ray


class Sweep:
    """The jobs that are open on a cluster; `setup` is the first line of standard input."""

    def __init__(self, ray, setup):
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.ray = ray
        self.setup = setup
        self.open = {}
        self.attempts = {}
        resources = ray.cluster_resources()
        self.gpus = setup["gpus"]
        if self.gpus is None:
            self.gpus = 1 if resources.get("GPU", 0) > 0 else 0
        say({
            "event": "connected", "nodes": sum(node["Alive"] for node in ray.nodes()), "cpus": resources.get("CPU", 0),
            "gpus": resources.get("GPU", 0), "gpusPerRun": self.gpus, "version": ray.__version__,
        })
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.progress = ray.remote(Progress).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        self.task = ray.remote(work)

    def submit(self, job):
        task = self.task.options(
            name=job["id"],
            num_cpus=job["engine"].get("intraOpThreads") or 1,
            num_gpus=self.gpus,
            max_retries=self.setup["retries"],
            retry_exceptions=[WorkerCrashed],
        )
        self.open[task.remote(job, {"root": self.setup["root"], "env": self.setup["env"]}, self.progress)] = job

    def cancel(self):
        """Stops the open jobs, and gives their workers a minute to end."""
        for ref in self.open:
            self.ray.cancel(ref)
        if self.open:
            self.ray.wait(list(self.open), num_returns=len(self.open), timeout=60)

    def pass_on(self):
        """Prints the messages of the open jobs' workers since the last call."""
        try:
            said = self.ray.get(self.progress.take.remote(), timeout=30)
        except Exception:
            return  # The actor is restarting; only progress is lost.
        running = {job["id"] for job in self.open.values()}
        for job, message in said:
            if job not in running:
                continue
            if message["event"] == "assigned":
                self.attempts[job] = self.attempts.get(job, 0) + 1
                if self.attempts[job] > 1:
                    say({"job": job, "event": "retried", "attempt": self.attempts[job] - 1, "message": "its worker or node was lost."})
            say({"job": job, **message})

    def finish(self, ref):
        """Stores the run of a job that has ended, and prints its final event."""
        job = self.open.pop(ref)
        try:
            last, files = self.ray.get(ref)
            if last["event"] == "done":
                name = os.path.basename(last["folder"])
                last = {**last, "folder": keep(job["logDir"], name, files)}
        except OSError as error:
            last = {"event": "failed", "message": f"sweep: the run finished but could not be stored: {error}"}
        except Exception as error:
            cause = getattr(error, "cause", None) or error
            lines = str(cause).strip().splitlines()
            last = {"event": "lost", "message": "sweep: given up: " + ("\n".join(lines[:12]) or type(cause).__name__)}
        say({"job": job["id"], **last})


def requests_of(inbox, must_wait):
    """Pending requests; None stands for the end of standard input. Waits for the first one if `must_wait`."""
    try:
        yield inbox.get(block=must_wait)
        while True:
            yield inbox.get_nowait()
    except queue.Empty:
        pass


def main():
    inbox = queue.Queue()

    def listen():
        for line in sys.stdin:
            inbox.put(json.loads(line))
        inbox.put(None)

    threading.Thread(target=listen, daemon=True).start()
    setup = inbox.get()
    if setup is None:
        return
    sweep = Sweep(connect(setup["address"]), setup)
    while True:
        for request in requests_of(inbox, must_wait=not sweep.open):
            if request is None:
                sweep.cancel()
                return
            for job in request["jobs"]:
                sweep.submit(job)
        if not sweep.open:
            continue
        ready, _ = sweep.ray.wait(list(sweep.open), num_returns=1, timeout=0.25)
        sweep.pass_on()
        for ref in ready:
            sweep.finish(ref)


if __name__ == "__main__":
    main()
