"""Linux's rdma_rxe at the other end of the wire: run.py ROCELAB [--quick | TEXT...]

Boots Debian's kernel under QEMU's software emulation (vm.py), with rdma_rxe on a virtio interface whose other end is a
TAP interface that rocelab uses by af_packet, both in a network namespace of our own. Runs cases.txt both ways round, then
the same over VLANs, then programs that check contents on a link that loses, reorders and duplicates. With TEXTs only the
cases whose titles contain one of them; with --quick only the distribution's programs, on links without faults: the rest
takes ten minutes, and Linux's rxe 6.1 has faults of its own under loss (README.md). Skipped with the reason when the machine lacks something. Started by meson.
"""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import expect  # noqa: E402
import links  # noqa: E402
import pairs  # noqa: E402
import vm  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # the one that Debian's pyverbs belongs to
CHECK = {"data_check": [PYTHON, os.path.join(HERE, "data_check.py")]}
SKIPPED = 77
SECONDS_MAX = 1500  # of all cases together
IN_NAMESPACE = "ROCELAB_KERNEL_TEST"  # set once we are in a namespace of our own


def skip(reason):
    print("SKIP:", reason)
    sys.exit(SKIPPED)


def read_cases():
    """(group, title, words); a group begins with a line [group]."""
    group = ""
    with open(os.path.join(HERE, "cases.txt"), encoding="ascii") as lines:
        for line in map(str.strip, lines):
            if line.startswith("["):
                group = line.strip("[]")
            elif line and not line.startswith("#"):
                title, command = line.split(" | ")
                words = [CHECK[w] if w in CHECK else [w] for w in command.split()]
                yield group, title, [word for some in words for word in some]


def problems(program, arguments, outputs):
    if program == "rping":  # -v prints the data that -V has compared
        return [f"the {role} saw no data" for role, output in zip(("server", "client"), outputs) if "rdma-ping-0" not in output]
    if program == "ucmatose":
        return [f"the {role} did not come to the end" for role, output in zip(("server", "client"), outputs)
                if "return status 0" not in output]
    if program != PYTHON:
        return expect.problems(program, arguments, outputs)
    return [] if all("every byte as sent" in output for output in outputs) else ["not every byte was checked"]


class Run:
    def __init__(self, wanted):
        self.quick = wanted == ["--quick"]
        self.wanted = [] if self.quick else wanted
        self.left_out = 0
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
            print(f"    --- {name}:", *(line[:200] for line in output.splitlines()), sep="\n    ", flush=True)

    def pair(self, title, server, client, command):
        title = f"{title}: {client.name} at {server.name}"
        if not self.wants(title):
            return
        if self.quick and command[0] == PYTHON:
            self.left_out += 1
            return
        begin = time.monotonic()
        if begin - self.begin > SECONDS_MAX:
            self.judge(title, begin, [], [f"not run: the cases before it took {SECONDS_MAX} s"])
            return
        capture = self.start_capture()
        outputs, wrong = pairs.run_pair(server, client, command[0], command[1:])
        if capture is not None:
            capture.kill()
            capture.wait()
        self.judge(title, begin, outputs, wrong or problems(command[0], command[1:], outputs))

    def start_capture(self):
        """For whoever looks for a fault: with ROCELAB_KERNEL_PCAP=FILE what crosses the TAP interface is kept there."""
        file = os.environ.get("ROCELAB_KERNEL_PCAP")
        if not file:
            return None
        return pairs.HostJob(["tcpdump", "-i", "tap0", "-U", "-s", "128", "-w", file, "udp port 4791"], None, None, 600)

    def wants_group(self, wanted, where):
        return any(self.wants(f"{where}: {title}: {sides}") for group, title, _ in read_cases() if group == wanted
                   for sides in ("rxe at rocelab", "rocelab at rxe"))

    def group(self, wanted, one, other, where=""):
        """Every case of the group, both ways round."""
        for group, title, command in read_cases():
            if group == wanted:
                title = f"{where}: {title}" if where else title
                self.pair(title, one, other, command)
                self.pair(title, other, one, command)


def run_all(rocelab, wanted):
    pairs.make_tap()
    here = pairs.Here(rocelab)
    run = Run(wanted)
    try:
        with vm.Vm(nic=pairs.TAP_NIC) as guest:
            print(f"the guest is up after {time.monotonic() - run.begin:.0f} s", flush=True)
            rxe = pairs.Rxe(guest)
            run.group("plain", here, rxe)
            if run.wants_group("vlan", "VLAN 5"):
                near, far = links.set_up_vlan(guest, rocelab)
                run.group("vlan", far, near, "VLAN 5")
            if run.quick:
                print(f"--quick: left out {run.left_out} runs that check every byte, and the links with faults", flush=True)
            elif any(run.wants_group(group, title) for title, _, groups in links.FAULTS for group in groups):
                links.set_up_faults(guest)
                for title, how, groups in links.FAULTS:
                    links.set_fault(guest, how)
                    for group in groups:
                        run.group(group, here, rxe, title)
                print(links.fault_counts(guest))
                links.clear_faults(guest)
            complaints = guest.shell("dmesg | grep -E 'BUG:|WARNING:|Oops|rxe.*(err|fail)' || true")
            if complaints:
                run.judge("the guest's kernel has nothing to complain of", time.monotonic(), [complaints], ["it has"])
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


if __name__ == "__main__":
    main()
