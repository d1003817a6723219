"""Two sides of a program under `rocelab run`, on a machine of their own: a fresh run directory, a free TCP port, and a
user without capabilities. A side that hangs is shown with its threads' stacks before it is ended."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TIMEOUT_S = 300  # far beyond what any of them takes, on a busy machine, too
NOBODY = 65534
LISTENING = "0A"


class Failure(Exception):
    pass


def missing_program(name):
    return None if shutil.which(name) else name


def free_port():
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", 0))
        return probe.getsockname()[1]


def is_listening(port):
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                for line in lines:
                    fields = line.split()
                    if len(fields) > 3 and fields[1].endswith(f":{port:04X}") and fields[3] == LISTENING:
                        return True
        except OSError:
            pass
    return False


class Machine:
    """A run directory, and the user that programs run as."""

    def __init__(self, rocelab):
        self.rocelab = os.path.abspath(rocelab)
        self.folder = tempfile.mkdtemp(prefix="rocelab-programs-")
        self.drop, self.user = self.choose_user()
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith("ROCELAB_") and k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
        self.environment["ROCELAB_RUN_DIR"] = self.folder
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def choose_user(self):
        """The command prefix that drops privileges, and words for it."""
        if os.getuid() != 0:
            return [], f"as user {os.getuid()}, as we are"
        if not shutil.which("setpriv"):
            raise Failure("we are root and there is no setpriv to become somebody else (package util-linux)")
        no_capabilities = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
        other = no_capabilities + [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        reachable = subprocess.run(other + [self.rocelab, "--version"], capture_output=True, check=False)
        if reachable.returncode == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            return other, f"as user {NOBODY} without capabilities: {' '.join(other)}"
        # The build lies where only root may look: root's user number, but none of root's rights.
        return no_capabilities, "as root's user number without capabilities: " + " ".join(no_capabilities)

    def start(self, program, arguments, direct=False):
        """`direct`: not under `rocelab run`, for programs that find the library by themselves."""
        command = [*self.drop, *([] if direct else [self.rocelab, "run", "--"]), program, *arguments]
        print("$", " ".join(command[len(self.drop):]), flush=True)
        process = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.running.append(process)
        return process

    def run_alone(self, program, arguments, direct=False):
        process = self.start(program, arguments, direct)
        return self.finish([process], [program])[0]

    def run_pair(self, program, arguments, direct=False):
        """The server's output and the client's."""
        port = str(free_port())
        server = self.start(program, [*arguments, "-p", port], direct)
        deadline = time.monotonic() + TIMEOUT_S
        while not is_listening(int(port)):
            if server.poll() is not None or time.monotonic() > deadline:
                self.finish([server], ["server"], ended=True)
                raise Failure(f"the server did not listen on port {port}")
            time.sleep(0.005)
        client = self.start(program, [*arguments, "-p", port, "127.0.0.1"], direct)
        return self.finish([server, client], ["server", "client"])

    def finish(self, processes, names, ended=False):
        """Waits for all; prints every output; raises when one hung or failed."""
        deadline = time.monotonic() + (0 if ended else TIMEOUT_S)
        outputs, wrong = [None] * len(processes), []
        # The last one first: when it fails, the server would wait for ever.
        for i in reversed(range(len(processes))):
            process = processes[i]
            try:
                outputs[i], _ = process.communicate(timeout=max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                if not ended:
                    wrong.append(f"the {names[i]} hung: ended after {TIMEOUT_S} s")
                    for other in processes:
                        show_stacks(other)
                process.kill()
                outputs[i], _ = process.communicate()
                deadline = time.monotonic() + 5
                continue
            if process.returncode != 0:
                wrong.append(f"the {names[i]} ended with status {process.returncode}")
                deadline = min(deadline, time.monotonic() + 5)
        for name, output in zip(names, outputs):
            print(f"--- {name} said:\n{output.rstrip()}\n---", flush=True)
        if wrong:
            raise Failure("; ".join(wrong))
        return outputs


def show_stacks(process):
    if process.poll() is not None or not shutil.which("gdb"):
        return
    print(f"--- stacks of process {process.pid}", flush=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
    try:
        subprocess.run(["gdb", "-nx", "-batch", "-p", str(process.pid), "-ex", "thread apply all backtrace"],
                       env=environment, stdin=subprocess.DEVNULL, stdout=sys.stdout, stderr=subprocess.DEVNULL, timeout=60,
                       check=False)
    except subprocess.TimeoutExpired:
        print("gdb hung as well")


def gid_indexes(machine):
    """{v1}, {v2} and {v6} -> index in the first device's GID table, as ibv_devinfo prints it."""
    listing = subprocess.run([*machine.drop, machine.rocelab, "run", "--", "ibv_devinfo", "-v"], env=machine.environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False).stdout
    found = {}
    for index, gid, kind in re.findall(r"GID\[\s*(\d+)\]:\s+(\S+), (RoCE v[12])", listing):
        ipv4 = gid.startswith(("::ffff:", "0000:0000:0000:0000:0000:ffff:"))
        found.setdefault("{v1}" if kind == "RoCE v1" else "{v2}" if ipv4 else "{v6}", index)
    if len(found) < 3:
        raise Failure(f"the device lacks a GID of some kind (found {found}):\n{listing}")
    return found
