"""The programs that perf/compare sets beside rocelab: how each is started, pinned, and how its figures are read.

Every source is a function (bench) -> {row key: value}; it raises Missing when the program is not installed or does not
run here, with the reason. Used by compare; Python's standard library only.
"""
import csv
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

TIMEOUT_S = 120
START_S = 20


class Missing(Exception):
    """A source cannot be measured here; the text says why."""


class Failed(Exception):
    """A source ran and went wrong; the text is what it said."""


class Bench:
    """What the sources share: where the build is, the two processors, how much work."""

    def __init__(self, build, cpus, scale, realtime=False):
        self.build = pathlib.Path(build).resolve()
        self.cpus = cpus
        self.scale = scale
        self.realtime = realtime

    def program(self, *names):
        """Path of one of our own programs."""
        path = self.build.joinpath(*names)
        if not path.is_file():
            raise Missing(f"{path.relative_to(self.build.parent)} is not built")
        return str(path)

    def count(self, usual, least=100):
        return str(max(least, int(usual * self.scale)))

    def rocelab_run(self):
        return [self.program("rocelab"), "run", "--"]


def installed(name, package):
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed (package {package})")
    return path


def pinned(bench, cpu, command):
    """The command on one processor; with --realtime before everything ordinary. Not so what runs on rocelab: its progress
    thread would inherit that, and its own programs raise their polling thread alone."""
    first = ["chrt", "--fifo", "1"] if bench.realtime and os.path.basename(command[0]) != "rocelab" else []
    return [*first, "taskset", "-c", str(cpu), *command]


def run(command, env=None):
    """Output of a program; Failed with its last lines when it ends badly or not at all, Missing when it skips itself."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=TIMEOUT_S, env={**os.environ, **(env or {})}, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)}: not finished after {TIMEOUT_S} s") from None
    if done.returncode == 77:
        raise Missing(done.stdout.strip().removeprefix("SKIP:").strip())
    if done.returncode != 0:
        tail = " | ".join(done.stdout.strip().splitlines()[-4:])
        raise Failed(f"{' '.join(command)}: exit status {done.returncode}: {tail}")
    return done.stdout


def csv_rows(command, env=None):
    """Runs one of our own programs and reads the CSV that it writes: {name: median}."""
    with tempfile.NamedTemporaryFile(prefix="rocelab-perf-", suffix=".csv") as file:
        run([*command, "--csv", file.name], env)
        with open(file.name, encoding="utf-8") as lines:
            return {row["name"]: float(row["median"]) for row in csv.DictReader(lines)}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(port):
    pattern = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F:]+ 0A", re.IGNORECASE | re.MULTILINE)
    return any(pattern.search(pathlib.Path(table).read_text(encoding="ascii"))
               for table in ("/proc/net/tcp", "/proc/net/tcp6") if os.path.exists(table))


def client_of_pair(bench, server, client, port, env=None):
    """Starts the server on the second processor, waits until it listens, runs the client on the first: its output."""
    environment = {**os.environ, **(env or {})}
    with tempfile.TemporaryFile(mode="w+") as log:
        process = subprocess.Popen(pinned(bench, bench.cpus[1], server), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=environment)
        try:
            deadline = time.monotonic() + START_S
            while not listening(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise Failed(f"{' '.join(server)}: did not start: {log.read().strip()[-300:]}")
                time.sleep(0.01)
            return run(pinned(bench, bench.cpus[0], client), env)
        finally:
            if process.poll() is None:
                try:
                    process.wait(2)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()


# --- our own programs ----------------------------------------------------------------------------------------------

def own(bench, program, *extra, repetitions=1):
    cpus = ",".join(map(str, bench.cpus))
    return [bench.program("perf", program), "--cpus", cpus, "--repetitions", str(repetitions), "--scale",
            str(bench.scale), *(["--realtime"] if bench.realtime else []), *extra]


def limits(bench):
    return csv_rows(own(bench, "limits"))


def memif(bench):
    return csv_rows(own(bench, "memif"))


def shm_ring(bench):
    return csv_rows(own(bench, "shm_ring"))


def rocelab(bench):
    return csv_rows(bench.rocelab_run() + own(bench, "verbs_pair"))


def rocelab_sizes(bench):
    return csv_rows(bench.rocelab_run() + own(bench, "verbs_pair", "--sizes", "--only", "sizes_"))


def libfabric_rma(bench, provider):
    return csv_rows(own(bench, "fi_rma_bw", "--provider", provider))


# --- the distribution's programs ------------------------------------------------------------------------------------

def perftest(bench, tool, *options):
    """One line of perftest's table as numbers, run unmodified over rocelab."""
    port = free_port()
    common = bench.rocelab_run() + [installed(tool, "perftest"), "-F", "-p", str(port), *options]
    text = client_of_pair(bench, common, [*common, "127.0.0.1"], port)
    lines = [line.split() for line in text.splitlines() if re.match(r"^ *\d+ +\d+ +[\d.]+ ", line)]
    if not lines:
        raise Failed(f"{tool} printed no figures: {text.strip()[-300:]}")
    return [float(field) for field in lines[-1]]


def perftest_rows(bench):
    write = perftest(bench, "ib_write_lat", "-s", "8", "-n", bench.count(20_000))
    send = perftest(bench, "ib_send_lat", "-s", "8", "-n", bench.count(20_000))
    rate = perftest(bench, "ib_write_bw", "-s", "64", "-n", bench.count(500_000, 1000))
    stream = perftest(bench, "ib_write_bw", "-s", "65536", "-n", bench.count(20_000, 1000))
    return {"ib_write_lat": write[5], "ib_send_lat": send[5], "ib_write_bw_64B_rate": rate[4],
            "ib_write_bw_65536B": stream[3] * 1.048576 / 1000}


def ucx(bench, transport, test, size, count):
    """(microseconds one way or a message, GB/s, M messages a second) of ucx_perftest."""
    port = free_port()
    env = {"UCX_TLS": transport + ",self", "UCX_LOG_LEVEL": "error"}
    if transport == "tcp":
        env["UCX_NET_DEVICES"] = "lo"
    tool = installed("ucx_perftest", "ucx-utils")
    client = [tool, "-p", str(port), "-t", test, "-s", str(size), "-n", bench.count(count, 200), "-w",
              bench.count(count / 20, 20), "-f", "-v", "127.0.0.1"]
    text = client_of_pair(bench, [tool, "-p", str(port)], client, port, env)
    lines = [line for line in text.splitlines() if re.match(r" *\d+,[\d.]+,", line)]
    if not lines:
        raise Failed(f"ucx_perftest {test} over {transport} printed no figures: {text.strip()[-300:]}")
    fields = [float(field) for field in lines[-1].split(",")]
    return fields[3], fields[5] * 1.048576 / 1000, fields[7] / 1e6


def ucx_rows(bench, transport):
    slow = 0.05 if transport == "tcp" else 1
    name = f"ucx_{transport}"
    return {f"{name}_put_latency": ucx(bench, transport, "ucp_put_lat", 8, 300_000 * slow)[0],
            f"{name}_tag_latency": ucx(bench, transport, "tag_lat", 8, 300_000 * slow)[0],
            f"{name}_put_64B_rate": ucx(bench, transport, "ucp_put_bw", 64, 3_000_000 * slow)[2],
            f"{name}_put_65536B": ucx(bench, transport, "ucp_put_bw", 65_536, 20_000 * max(slow, 0.25))[1]}


def ucx_sizes(bench, transport, sizes):
    rows = {}
    for size in sizes:
        slow = (0.05 if transport == "tcp" else 1) * 1000 / (1000 + size / 8)
        rows[f"ucx_{transport}_{size}_latency"] = ucx(bench, transport, "ucp_put_lat", size, 100_000 * slow)[0]
        rows[f"ucx_{transport}_{size}_bandwidth"] = ucx(bench, transport, "ucp_put_bw", size, 200_000 * slow)[1]
    return rows


def fi_pingpong(bench, provider):
    port = free_port()
    tool = installed("fi_pingpong", "libfabric-bin")
    common = [tool, "-p", provider, "-e", "rdm", "-S", "8", "-I", bench.count(50_000)]
    text = client_of_pair(bench, [*common, "-B", str(port)], [*common, "-P", str(port), "127.0.0.1"], port)
    lines = [line.split() for line in text.splitlines() if line.startswith("8 ")]
    if not lines:
        raise Failed(f"fi_pingpong over {provider} printed no figures: {text.strip()[-300:]}")
    return {f"fi_pingpong_{provider.split(';')[0]}": float(lines[-1][6])}


def qperf(bench):
    port = free_port()
    tool = installed("qperf", "qperf")
    server = subprocess.Popen(pinned(bench, bench.cpus[1], [tool, "-lp", str(port)]), stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while not listening(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise Failed("qperf: the server did not start")
            time.sleep(0.01)
        client = pinned(bench, bench.cpus[0], [tool, "-lp", str(port), "-uu", "-t", "1"])
        latency = run([*client, "-m", "8", "127.0.0.1", "tcp_lat"])
        stream = run([*client, "-m", "65536", "127.0.0.1", "tcp_bw"])
    finally:
        server.terminate()
        server.wait()
    return {"qperf_tcp_latency": float(re.search(r"latency *= *([\d.]+)", latency)[1]) / 1000,
            "qperf_tcp_65536B": float(re.search(r"bw *= *([\d.]+)", stream)[1]) / 1e9}
