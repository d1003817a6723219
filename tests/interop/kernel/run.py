"""Linux's rdma_rxe at the other end of the wire: run.py ROCELAB [TEXT]...

Boots Debian's kernel under QEMU's software emulation (vm.py), with rdma_rxe on a virtio interface whose other end is a
TAP interface that rocelab uses by af_packet, both in a network namespace of our own. Runs cases.txt both ways round, then
the same over VLANs, then programs that check contents on a link that loses, reorders and duplicates. With TEXTs only the
cases whose titles contain one of them. Skipped with the reason when the machine lacks something. Started by meson.
"""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import expect  # noqa: E402
import pairs  # noqa: E402
import vm  # noqa: E402

SKIPPED = 77
SECONDS_MAX = 600  # of all cases together
IN_NAMESPACE = "ROCELAB_KERNEL_TEST"  # set once we are in a namespace of our own


def skip(reason):
    print("SKIP:", reason)
    sys.exit(SKIPPED)


def read_cases():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.txt"), encoding="ascii") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                title, command = line.strip().split(" | ")
                yield title, command.split()


class Run:
    def __init__(self, wanted):
        self.wanted = wanted
        self.begin = time.monotonic()
        self.passed, self.failed = 0, []

    def wants(self, title):
        return not self.wanted or any(text in title for text in self.wanted)

    def judge(self, title, begin, outputs, wrong):
        print(f"{'ok    ' if not wrong else 'FAILED'} {title} ({time.monotonic() - begin:.1f} s)", flush=True)
        if not wrong:
            self.passed += 1
            return
        self.failed.append(title)
        for line in wrong:
            print("    WRONG:", line)
        for name, output in zip(("server", "client"), outputs):
            print(f"    --- {name}:", *output.splitlines(), sep="\n    ", flush=True)

    def pair(self, title, server, client, command, judge=expect.problems):
        title = f"{title}: {client.name} at {server.name}"
        if not self.wants(title):
            return
        begin = time.monotonic()
        if begin - self.begin > SECONDS_MAX:
            self.judge(title, begin, [], [f"not run: the cases before it took {SECONDS_MAX} s"])
            return
        outputs, wrong = pairs.run_pair(server, client, command[0], command[1:])
        self.judge(title, begin, outputs, wrong or judge(command[0], command[1:], outputs))

    def both_ways(self, title, one, other, command, **options):
        self.pair(title, one, other, command, **options)
        self.pair(title, other, one, command, **options)


def run_all(rocelab, wanted):
    pairs.make_tap()
    here = pairs.Here(rocelab)
    run = Run(wanted)
    try:
        with vm.Vm(nic=pairs.TAP_NIC) as guest:
            print(f"the guest is up after {time.monotonic() - run.begin:.0f} s", flush=True)
            rxe = pairs.Rxe(guest)
            for title, command in read_cases():
                run.both_ways(title, here, rxe, command)
            print(guest.console(), flush=True)
    finally:
        here.close()
    print(f"{run.passed} passed, {len(run.failed)} failed in {time.monotonic() - run.begin:.0f} s")
    for title in run.failed:
        print("FAILED:", title)
    return not run.failed


def main():
    missing = pairs.missing_here()
    if missing:
        skip(missing)
    if IN_NAMESPACE not in os.environ:
        unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
        if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
            skip("no network namespaces here")
        os.environ[IN_NAMESPACE] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
    try:
        sys.exit(0 if run_all(sys.argv[1], sys.argv[2:]) else 1)
    except vm.VmError as error:
        sys.exit(f"FAILED: {error}")


main()
