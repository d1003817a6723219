"""A program on both ends of the wire: one side on the kernel's rdma_rxe in the guest, the other on rocelab here, which uses
the TAP interface (or, for what this machine's kernel lacks, a second namespace of the guest). Used by run.py."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import sides
import vm

MTU = 4200
HOST, GUEST = "10.78.0.1", "10.78.0.2"
HOST6, GUEST6 = "fd78::1", "fd78::2"
ATTEMPTS = 20  # of a client whose server may not listen yet
REJECTED = re.compile("REJECTED|reject", re.IGNORECASE)
SECONDS = 90  # what one case may take
TAP_NIC = ["-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no",
           "-device", f"virtio-net-pci,netdev=n0,host_mtu={MTU}"]


def make_tap():
    """In a namespace of our own (run.py has seen to it)."""
    for words in ("link set lo up", "tuntap add tap0 mode tap", f"link set tap0 mtu {MTU}", f"addr add {HOST}/24 dev tap0",
                  "addr add fd78::1/64 dev tap0 nodad", "link set tap0 up"):
        subprocess.run(["ip", *words.split()], check=True, capture_output=True)


class HostJob:
    """A program here. Has the surface of vm.Job."""

    def __init__(self, words, environment, folder, seconds):
        self.words, self.seconds = words, seconds
        self.output = tempfile.TemporaryFile()  # not a pipe: nobody reads while the other side is waited for
        self.process = subprocess.Popen(words, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def wait(self):
        hung = False
        try:
            self.process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            hung = True
            sides.show_stacks(self.process)
            self.kill()
            self.process.wait()
        self.output.seek(0)
        return self.process.returncode, self.output.read().decode(errors="replace"), hung

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)


class Here:
    """rocelab on this machine."""
    name, address, address6, device = "rocelab", HOST, HOST6, "rocelab0"

    def __init__(self, rocelab, interface="tap0"):
        self.rocelab = os.path.abspath(rocelab)
        self.folder = tempfile.mkdtemp(prefix="rocelab-kernel-")
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith("ROCELAB_") and k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
        self.environment.update(ROCELAB_RUN_DIR=self.folder, ROCELAB_PORT="af_packet", ROCELAB_INTERFACE=interface)
        self.gids = {"{v4}": "3", "{v6}": "5", "{ll}": "1"}  # v1 before v2: identity.h

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, words, seconds=SECONDS):
        return HostJob([self.rocelab, "run", "--", *words], self.environment, self.folder, seconds)

    def listening(self, port, job):
        deadline = time.monotonic() + SECONDS
        while not sides.is_listening(port):
            if job.ended() or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


class Rxe:
    """The kernel's device in the guest."""
    name = "rxe"

    def __init__(self, guest, device="rxe0", address=GUEST, gids=None):
        self.guest, self.device, self.address, self.address6 = guest, device, address, GUEST6
        self.gids = gids or {"{v4}": "1", "{v6}": "2", "{ll}": "0"}

    def start(self, words, seconds=SECONDS):
        return self.guest.start(words, seconds)

    def listening(self, port, job):
        return self.guest.listening(port, job)


class RocelabInGuest:
    """rocelab in a namespace of the guest, for what this machine's kernel has not (VLAN interfaces)."""
    name, device = "rocelab", "rocelab0"

    def __init__(self, guest, rocelab, namespace, interface, address):
        self.guest, self.rocelab, self.address, self.gids = guest, os.path.abspath(rocelab), address, {}
        self.namespace = namespace
        self.variables = {"ROCELAB_RUN_DIR": "/run/rocelab-far", "ROCELAB_PORT": "af_packet",
                          "ROCELAB_INTERFACE": interface}

    def start(self, words, seconds=SECONDS):
        # nsenter, not `ip netns exec`: /sys stays as it is.
        return self.guest.start(["nsenter", f"--net=/run/netns/{self.namespace}", self.rocelab, "run", "--", *words],
                                seconds, **self.variables)

    def must(self, *words):
        status, output, _ = self.start(words).wait()
        if status != 0:
            raise vm.VmError(f"{' '.join(words)}: status {status}: {output}")
        return output

    def listening(self, port, job):
        return self.guest.listening(port, job)


# Programs that connect by rdma_cm: what tells the server's address to the server and to the client.
BY_CM = {"rping": (["-s", "-a"], ["-c", "-a"]), "ucmatose": (["-b"], ["-s"])}


def run_pair(server, client, program, arguments, seconds=SECONDS):
    """Runs both; returns the two outputs and a list of what is wrong (empty: nothing)."""
    port = sides.free_port()

    def words(side, role):
        own = [side.gids.get(a, a) for a in arguments]
        if program in BY_CM:
            address = server.address6 if "{v6}" in arguments else server.address
            own = [a for a in arguments if a not in ("{v4}", "{v6}")] + BY_CM[program][role] + [address]
        else:
            own += ["-d", side.device] + [server.address] * role
        return [program, *own, "-p", str(port)]

    at_server = server.start(words(server, 0), seconds)
    if program not in BY_CM and not server.listening(port, at_server):
        at_server.kill()
        _, output, _ = at_server.wait()
        return [output, ""], [f"the server ({server.name}) did not listen"]
    outputs, wrong = ["", ""], []
    for attempt in range(ATTEMPTS if program in BY_CM else 1):
        at_client = client.start(words(client, 1), seconds)
        status, outputs[1], hung = at_client.wait()
        if status == 0 or hung or not REJECTED.search(outputs[1]) or at_server.ended():
            break  # else nobody listens yet
    judge(wrong, f"the client ({client.name})", status, hung, seconds)
    if wrong:
        at_server.kill()
    status, outputs[0], hung = at_server.wait()
    judge(wrong, f"the server ({server.name})", status, hung, seconds)
    return outputs, wrong


def judge(wrong, who, status, hung, seconds):
    if hung:
        wrong.append(f"{who} hung: ended after {seconds} s")
    elif status != 0:
        wrong.append(f"{who} ended with status {status}")


def missing_here():
    """Why the host side cannot be, or nothing."""
    for program in ("ibv_rc_pingpong", "ib_send_bw", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "no TAP interfaces here: /dev/net/tun cannot be opened"
    return vm.why_not()
