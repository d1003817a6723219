"""Runs the distribution's programs that connect by librdmacm on rocelab, unmodified, and checks what they say:
programs.py ROCELAB CASE FAMILY [TCP_SERVER]. A server is ready when a client gets through: a refused client tries again."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import sides  # pylint: disable=wrong-import-position

SKIPPED = 77
PATIENCE_S = 300
TRIES = 20
RSPRELOAD = ["/usr/lib/x86_64-linux-gnu/rsocket/librspreload.so", "/usr/lib64/rsocket/librspreload.so",
             "/usr/lib/aarch64-linux-gnu/rsocket/librspreload.so"]
REFUSED = re.compile(r"refused|REJECTED|UNREACHABLE|RDMA_CM_EVENT_REJECTED|connect(ion)? error|event: 8|error 8|"
                     r"Couldn't connect|Failed to connect|failed to connect|Unexpected CM event|not connected", re.IGNORECASE)


class Side:
    """A process whose output can be looked at while it runs."""

    def __init__(self, machine, name, command, preload=None):
        self.machine, self.name = machine, name
        self.log = pathlib.Path(machine.folder, f"{name}-{len(machine.running)}.log")
        environment = dict(machine.environment)
        if preload:
            environment["LD_PRELOAD"] = preload
        print("$", " ".join(command), flush=True)
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [*machine.drop, machine.rocelab, "run", "--", "stdbuf", "-oL", "-eL", *command], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=machine.folder)
        machine.running.append(self.process)

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern):
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.output(), re.MULTILINE):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise sides.Failure(f"the {self.name} did not say {pattern!r}:\n{self.output()}")
            time.sleep(0.01)

    def finish(self):
        try:
            self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            sides.show_stacks(self.process)
            self.end()
            raise sides.Failure(f"the {self.name} hung:\n{self.output()}") from None
        print(f"--- {self.name} said:\n{self.output().rstrip()}\n---", flush=True)
        return self.process.returncode

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            print(f"SKIP: {program} is not installed")
            sys.exit(SKIPPED)


def address_of(machine, family):
    if family.startswith("loopback"):
        return "127.0.0.1" if family == "loopback4" else "::1"
    listing = subprocess.run([*machine.drop, machine.rocelab, "run", "--", "ibv_devinfo", "-v"], env=machine.environment,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    for gid in re.findall(r"GID\[\s*\d+\]:\s+(\S+), RoCE v2", listing):
        if gid.startswith("::ffff:") == (family == "ipv4"):
            return gid.removeprefix("::ffff:")
    raise sides.Failure(f"no address of {family}:\n{listing}")


def expect(side_output, *patterns, count=1):
    for pattern in patterns:
        found = len(re.findall(pattern, side_output, re.MULTILINE))
        if found < count:
            raise sides.Failure(f"{found} lines like {pattern!r}, expected {count}")


def client_when_ready(machine, server, command, preload=None):
    """Repeats a client that is refused because its server is not yet there."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        client = Side(machine, "client", command, preload)
        if client.finish() == 0 and not REFUSED.search(client.output()):
            return client
        if server.process.poll() is not None or time.monotonic() > deadline or not REFUSED.search(client.output()):
            raise sides.Failure(f"the client ended with status {client.process.returncode}; the server:\n{server.output()}")
        time.sleep(0.02)


def pair(machine, server_command, client_command, server_ends=True, preload=None):
    server = Side(machine, "server", server_command, preload)
    client = client_when_ready(machine, server, client_command, preload)
    if server_ends:
        status = server.finish()
        if status != 0:
            raise sides.Failure(f"the server ended with status {status}")
    else:
        server.end()
    return server.output(), client.output()


def port():
    return str(sides.free_port())


def rping(machine, address):
    options = ["-a", address, "-p", port(), "-v", "-V", "-C", "20", "-S", "1000"]
    outputs = pair(machine, ["rping", "-s", *options], ["rping", "-c", *options])
    expect(outputs[0], r"^server ping data: rdma-ping-\d+:", count=20)
    expect(outputs[1], r"^ping data: rdma-ping-\d+:", count=20)


def refused(machine, address):
    side = Side(machine, "client", ["rping", "-c", "-a", address, "-p", port(), "-C", "1"])
    if side.finish() == 0:
        raise sides.Failure("it was not refused")
    expect(side.output(), r"RDMA_CM_EVENT_REJECTED|REJECTED|error 8|event RDMA_CM")


def cmatose(program, *options):
    def run(machine, address):
        shared = ["-c", "10", "-C", "10", "-S", "2000", *options]
        if program == "ucmatose":  # udaddy has a port of its own
            shared += ["-p", port()]
        outputs = pair(machine, [program, "-b", address, *shared], [program, "-s", address, *shared])
        for output in outputs:
            expect(output, r"^data transfers complete$", r"^test complete$", r"^return status 0$")
    return run


def mckey(machine, address):
    group = "239.17.5.1" if "." in address else "ff0e::17:5"
    server = Side(machine, "server", ["mckey", "-m", group, "-b", address, "-C", "10"])
    server.wait_for("^receiving data transfers$")
    sender = Side(machine, "client", ["mckey", "-m", group, "-b", address, "-s", "-C", "10"])
    if sender.finish() != 0 or server.finish() != 0:
        raise sides.Failure("a side failed")
    expect(server.output(), r"^data transfers complete$", r"^return status 0$")


def rdma_server(machine, address):
    number = port()
    outputs = pair(machine, ["rdma_server", "-p", number], ["rdma_client", "-s", address, "-p", number])
    expect(outputs[0], r"^rdma_server: end 0$")
    expect(outputs[1], r"^rdma_client: end 0$")


def stream(program, *tests):
    def run(machine, address):
        for size in ("64", "65536"):
            options = ["-p", port(), "-S", size, "-C", "100"]
            for test in tests:
                options += ["-T", test]
            outputs = pair(machine, [program, "-b", address, *options], [program, "-s", address, *options])
            expect(outputs[1], r"^custom\s")
            if "error" in outputs[0] + outputs[1]:
                raise sides.Failure("an error")
    return run


def cmtime(machine, address):
    options = ["-p", port(), "-c", "100"]
    outputs = pair(machine, ["cmtime", "-b", address, *options], ["cmtime", "-s", address, *options], server_ends=False)
    expect(outputs[1], r"^connect\s", r"^disconnect\s")


def perftest(program, *options):
    def run(machine, address):
        # It connects twice, and a client that is faster than its server the second time is refused: both start again.
        for _ in range(TRIES):
            shared = [program, "-R", "-F", "-p", port(), "-n", "200", *options]
            server = Side(machine, "server", shared)
            server.wait_for("Waiting for client to connect")
            client = Side(machine, "client", [*shared, address])
            if client.finish() == 0:
                if server.finish() != 0:
                    raise sides.Failure("the server failed")
                return expect(client.output(), r"^\s*\d+\s+200\s")
            server.end()
            if not REFUSED.search(client.output()):
                break
        raise sides.Failure("the client failed")
    return run


def rspreload():
    for path in RSPRELOAD:
        if os.path.exists(path):
            return path
    print("SKIP: librspreload is not installed")
    return sys.exit(SKIPPED)


def curl(machine, address):
    preload = rspreload()
    contents = bytes(i * 7919 >> 8 & 0xFF for i in range(300_000))
    folder = pathlib.Path(machine.folder)
    (folder / "served").write_bytes(contents)
    os.chmod(folder / "served", 0o644)
    number = port()
    server = Side(machine, "server", [os.path.abspath(sys.argv[4]), address, number, "served"], preload)
    server.wait_for("^listening$")
    client = client_when_ready(machine, server, ["curl", "-sS", "--http1.0", "-o", "fetched",
                                                 f"http://{address}:{number}/served"], preload)
    if client.process.returncode != 0 or server.finish() != 0:
        raise sides.Failure("a side failed")
    if (folder / "fetched").read_bytes() != contents:
        raise sides.Failure("other bytes came than were served")
    counters = subprocess.run([*machine.drop, machine.rocelab, "dev", "--counters"], env=machine.environment, capture_output=True,
                              text=True, check=False).stdout
    sent = re.search(r"^\s*sent_bytes\s+(\d+)$", counters, re.MULTILINE)
    if sent is None or int(sent[1]) < len(contents):
        raise sides.Failure(f"the bytes did not go by RDMA:\n{counters}")


def fio(machine, address):
    need("fio")
    number = port()
    shared = ["fio", "--name=rdma", "--ioengine=rdma", f"--port={number}", "--size=4m", "--bs=64k", "--iodepth=8"]
    # Not its verb "send": its client asks for no RNR retries and is at times earlier than the server's receives; it says
    # "RNR retry counter exceeded" and then waits for ever.
    for verb in ("write", "read"):
        server_job = [*shared, "--rw=read"]
        client_job = [*shared, f"--hostname={address}", f"--verb={verb}", "--rw=write"]
        outputs = pair(machine, server_job, client_job)
        expect(outputs[1], r"err= 0")


def qperf(machine, address):
    number = port()
    server = Side(machine, "server", ["qperf", "-lp", number])
    while not sides.is_listening(int(number)):
        if server.process.poll() is not None:
            raise sides.Failure(f"the server ended:\n{server.output()}")
        time.sleep(0.01)
    for test in ("rc_lat", "rc_bw", "rc_bi_bw", "rc_rdma_read_bw", "rc_rdma_write_lat"):
        client = Side(machine, "client", ["qperf", "-lp", number, address, "-t", "1", "-cm", "1", test])
        if client.finish() != 0:
            raise sides.Failure(f"{test} failed")
        expect(client.output(), rf"^{test}:")
    server.end()


CASES = {
    "rping": (rping, "rping"), "refused": (refused, "rping"), "ucmatose": (cmatose("ucmatose"), "ucmatose"),
    "migration": (cmatose("ucmatose", "-m"), "ucmatose"), "udaddy": (cmatose("udaddy"), "udaddy"),
    "mckey": (mckey, "mckey"), "rdma_server": (rdma_server, "rdma_server"), "rstream": (stream("rstream", "v"), "rstream"),
    "rstream_blocking": (stream("rstream", "v", "b", "r"), "rstream"), "riostream": (stream("riostream", "v"), "riostream"),
    "cmtime": (cmtime, "cmtime"), "write_bw": (perftest("ib_write_bw"), "ib_write_bw"),
    "send_lat": (perftest("ib_send_lat", "-c", "UD"), "ib_send_lat"), "curl": (curl, "curl"),
    "fio": (fio, "fio"), "qperf": (qperf, "qperf"),
}


def main():
    rocelab, case, family = sys.argv[1:4]
    function, program = CASES[case]
    need(program, "stdbuf", "ibv_devinfo")
    with sides.Machine(rocelab) as machine:
        print("both sides run", machine.user)
        function(machine, address_of(machine, family))


if __name__ == "__main__":
    try:
        main()
    except (sides.Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"FAILED: {failure}")
