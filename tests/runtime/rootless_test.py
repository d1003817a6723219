"""rootless_test.py PEER: hosts with UDP uplinks, as an ordinary user without any capability.

First on loopback addresses of the machine's own (127.x.y.1 and .2: two hosts by two addresses), then in an unprivileged
user and network namespace (unshare -Urn) with a veth pair to a second network namespace in it:

    near (10.77.0.1, fd00:77::1) === far (10.77.0.2, fd00:77::2)

and there too with two TAP interfaces in a bridge, which has an address of the kernel's own:

    near-tap (10.88.0.1, fd00:88::1) === bridge (10.88.0.9) === far-tap (10.88.0.2, fd00:88::2)

PEER is tests/runtime/peer.cc. Run as root, the test becomes nobody first.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

NOBODY = 65534
INSIDE = "--inside"
# The one that runs this may lie in a closed folder.
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
HOSTS = {}  # name -> (command prefix, environment)
IPV4, IPV6 = 0, 1


def run(*words):
    subprocess.run(words, capture_output=True, check=True)


class Peer:
    def __init__(self, host, run_dir, **variables):
        prefix, settings = HOSTS[host]
        environment = {**os.environ, "ROCELAB_RUN_DIR": run_dir, "ROCELAB_PORT": "udp", **settings, **variables}
        self.process = subprocess.Popen([*prefix, PEER], env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.endpoints = 0

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, line):
        self.tell(line)
        return self.hear()

    def new(self, gid, timeout=16, retries=7):
        self.endpoints += 1
        return self.endpoints - 1, self.ask(f"new {timeout} {retries} {gid}")

    def capabilities(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(dict(line.split(":\t", 1) for line in file if ":\t" in line)["CapEff"], 16)

    def end(self):
        self.process.kill()
        self.process.communicate()


class Hosts(unittest.TestCase):
    gids = (IPV4,)  # the first is what tests use that need one
    kind = ""  # behind the names of hosts

    def setUp(self):
        self.peers = []
        self.directories = {name: tempfile.mkdtemp(prefix="rocelab-") for name in HOSTS}

    def tearDown(self):
        for peer in self.peers:
            peer.end()
        for directory in self.directories.values():
            shutil.rmtree(directory, ignore_errors=True)

    def start(self, host, **variables):
        name = host if host in HOSTS and host not in ("near", "far") else host + self.kind
        self.peers.append(Peer(name, self.directories[name], **variables))
        return self.peers[-1]

    def join(self, a, b, gid=None, **options):
        gid = self.gids[0] if gid is None else gid
        (at_a, address_a), (at_b, address_b) = a.new(gid, **options), b.new(gid, **options)
        self.assertEqual(a.ask(f"connect {at_a} {address_b}"), "0", address_b)
        self.assertEqual(b.ask(f"connect {at_b} {address_a}"), "0", address_a)
        return at_a, at_b


class Traffic:
    """Tests for every kind of two hosts."""

    def test_two_hosts_write_and_read(self):
        near, far = self.start("near"), self.start("far")
        for gid in self.gids:
            with self.subTest(gid=gid):
                at_near, at_far = self.join(near, far, gid)
                self.assertEqual(near.ask(f"write {at_near} 20 100000 1"), "ok")
                self.assertEqual(far.ask(f"write {at_far} 20 100000 2"), "ok")

    def test_several_processes_of_each_host_share_the_port(self):
        near = [self.start("near") for _ in range(3)]
        far = [self.start("far") for _ in range(3)]
        for gid in self.gids:
            links = []
            for a in near:
                for b in far:
                    links.append((a, *self.join(a, b, gid), b))
            for peer, at, _, _ in links:
                self.assertEqual(peer.ask(f"write {at} 5 30000 3"), "ok")
            for _, _, at, peer in links:
                self.assertEqual(peer.ask(f"write {at} 5 30000 4"), "ok")
            # All at once.
            for peer in near + far:
                peer.tell("mix 200 3000")
            self.assertEqual([peer.hear() for peer in near + far], ["ok"] * 6)
        # Processes of one host talk to each other as ever.
        between, _ = self.join(near[0], near[2])
        self.assertEqual(near[0].ask(f"write {between} 5 20000 1"), "ok")

    def test_killed_processes_leave_the_others_in_peace(self):
        chance = random.Random(1)
        near = [self.start("near") for _ in range(4)]
        far = self.start("far")
        for _ in range(6):
            victim = chance.randrange(len(near))
            ends = [(peer, self.join(peer, far)[0]) for peer in near]
            for peer, at in ends:
                peer.tell(f"write {at} 50 20000 5")
            near[victim].process.send_signal(signal.SIGKILL)
            for peer, _ in ends:
                if peer is not near[victim]:
                    self.assertEqual(peer.hear(), "ok")
            near[victim] = self.start("near")

    def test_a_host_that_has_gone_runs_into_the_retries(self):
        near, far = self.start("near"), self.start("far")
        patient, _ = self.join(near, far)
        hasty, _ = self.join(near, far, timeout=10, retries=2)
        self.assertEqual(near.ask(f"write {patient} 1 1000 1"), "ok")
        far.end()
        self.assertTrue(near.ask(f"write {hasty} 1 1000 1").startswith("status 12 "))

    def test_with_loss_and_reordering_the_bytes_are_right(self):
        faults = "seed=7,loss=20000,duplicate=10000,reorder=20000,corrupt=10000"
        near, far = self.start("near", ROCELAB_FAULTS=faults), self.start("far", ROCELAB_FAULTS=faults)
        at_near, at_far = self.join(near, far)
        self.assertEqual(near.ask(f"write {at_near} 30 20000 1"), "ok")
        self.assertEqual(far.ask(f"write {at_far} 30 20000 2"), "ok")


class Sockets:
    """Tests for hosts with UDP sockets."""

    def test_the_same_address_for_a_second_host_is_refused(self):
        near = self.start("near")
        near.new(IPV4)
        with tempfile.TemporaryDirectory(prefix="rocelab-") as other:
            second = Peer("near", other)
            _, error = second.process.communicate(timeout=60)
            self.assertEqual(second.process.returncode, 2)
            self.assertIn("another program has it", error)


class Groups:
    def test_multicast_reaches_every_process_of_every_host_once(self):
        near = [self.start("near") for _ in range(2)]
        far = [self.start("far") for _ in range(2)]
        group = "239.77.1.2"
        for peer in near + far:
            self.assertEqual(peer.ask(f"join {group}"), "ok")
        for number, speaker in enumerate(near + far):
            self.assertEqual(speaker.ask(f"say hello-{number}"), "ok")
            for peer in near + far:
                if peer is not speaker:
                    self.assertEqual(peer.ask("listen"), f"hello-{number}")


class OnLoopback(Hosts, Traffic, Sockets):
    def test_no_capability_is_needed(self):
        near, far = self.start("near"), self.start("far")
        at, _ = self.join(near, far)
        self.assertEqual(near.ask(f"write {at} 1 1000 1"), "ok")
        self.assertEqual((near.capabilities(), far.capabilities()), (0, 0))

    def test_an_address_of_another_machine_is_refused(self):
        peer = self.start("near", ROCELAB_ADDRESSES="198.51.100.1")
        _, error = peer.process.communicate(timeout=60)
        self.assertEqual(peer.process.returncode, 2)
        self.assertIn("port `udp` needs addresses of this machine", error)

    def test_in_an_unprivileged_namespace(self):
        works = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, text=True, check=False)
        if works.returncode != 0:
            self.skipTest("no unprivileged namespaces here: " + works.stderr.strip())
        inside = subprocess.run(["unshare", "-Urn", PYTHON, __file__, PEER, INSIDE], check=False,
                                capture_output=True, text=True)
        print(inside.stdout + inside.stderr, end="")
        if inside.returncode == 77:
            self.skipTest("no second namespace")
        self.assertEqual(inside.returncode, 0)


class BetweenNamespaces(Hosts, Traffic, Sockets, Groups):
    gids = (IPV4, IPV6)

    def test_more_than_the_interface_carries_is_refused(self):
        peer = self.start("near", ROCELAB_MTU="4096")
        _, error = peer.process.communicate(timeout=60)
        self.assertEqual(peer.process.returncode, 2)
        self.assertIn("mtu: 4096: interface `veth0` with its MTU of 1500 carries at most 1024", error)


class OnTaps(Hosts, Traffic, Groups):
    # Behind the link-local address, version 1 before version 2.
    gids = (3, 5, 2)
    kind = "-tap"

    def test_the_kernel_at_the_bridge_finds_us_and_we_find_it(self):
        near, bridge = self.start("near"), self.start("bridge")
        (at_near, near_is), (at_bridge, bridge_is) = near.new(3), bridge.new(0)
        self.assertEqual(near.ask(f"connect {at_near} {bridge_is}"), "0", bridge_is)
        self.assertEqual(bridge.ask(f"connect {at_bridge} {near_is}"), "0", near_is)
        self.assertEqual(near.ask(f"write {at_near} 20 20000 1"), "ok")
        self.assertEqual(bridge.ask(f"write {at_bridge} 20 20000 2"), "ok")

    def test_an_address_that_nobody_has_is_unreachable(self):
        near = self.start("near")
        at, _ = near.new(3)
        self.assertEqual(near.ask(f"connect {at} 65600 10.88.0.99 0 0"), "113")

    def test_an_interface_of_another_kind_is_refused(self):
        peer = self.start("near", ROCELAB_INTERFACE="veth0")
        _, error = peer.process.communicate(timeout=60)
        self.assertEqual(peer.process.returncode, 2)
        self.assertIn("interface veth0: it is not a TAP interface", error)


def set_up_taps():
    """A bridge with two TAP interfaces, and an address on the bridge for a host with UDP sockets."""
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "addr", "add", "10.88.0.9/24", "dev", "br0")
    for number, name in enumerate(("near", "far"), start=1):
        run("ip", "tuntap", "add", f"tap{number}", "mode", "tap", "multi_queue")
        run("ip", "link", "set", f"tap{number}", "master", "br0")
        run("ip", "link", "set", f"tap{number}", "up")
        HOSTS[name + "-tap"] = ([], {"ROCELAB_PORT": "tap", "ROCELAB_INTERFACE": f"tap{number}",
                                     "ROCELAB_ADDRESSES": f"10.88.0.{number},fd00:88::{number}"})
    run("ip", "link", "set", "br0", "up")
    HOSTS["bridge"] = ([], {"ROCELAB_ADDRESSES": "10.88.0.9"})


def set_up_namespaces():
    """In a fresh user and network namespace: a second one, and a veth pair between them. Returns its keeper."""
    keeper = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    keeper.stdin.write(b"x")
    keeper.stdin.flush()
    keeper.stdout.read(1)  # it runs, in its namespace
    far = ["nsenter", "-t", str(keeper.pid), "-n"]
    run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", str(keeper.pid))
    for number, prefix in enumerate(([], far), start=1):
        run(*prefix, "ip", "link", "set", "lo", "up")
        run(*prefix, "ip", "addr", "add", f"10.77.0.{number}/24", "dev", "veth0")
        run(*prefix, "ip", "addr", "add", f"fd00:77::{number}/64", "dev", "veth0", "nodad")
        run(*prefix, "ip", "link", "set", "veth0", "up")
        HOSTS["near" if number == 1 else "far"] = (prefix, {"ROCELAB_INTERFACE": "veth0"})
    return keeper


def become_nobody():
    if shutil.which("setpriv") is None:
        print("SKIP: setpriv is not installed, and this is root")
        sys.exit(77)
    folder = tempfile.mkdtemp(prefix="rocelab-rootless-")
    os.chmod(folder, 0o755)
    copies = [shutil.copy(file, folder) for file in (__file__, PEER)]  # the tree may be closed to others
    done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all",
                           "--bounding-set=-all", PYTHON, *copies], check=False)
    shutil.rmtree(folder)
    sys.exit(done.returncode)


def main():
    keeper = None
    if INSIDE in sys.argv:
        sys.argv.remove(INSIDE)
        if shutil.which("ip") is None or shutil.which("nsenter") is None:
            print("SKIP: ip or nsenter is not installed")
            sys.exit(77)
        try:
            keeper = set_up_namespaces()
        except subprocess.CalledProcessError as error:
            print("SKIP: no veth pairs here:", error.stderr.decode().strip())
            sys.exit(77)
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(BetweenNamespaces)
        try:
            set_up_taps()
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(OnTaps))
        except subprocess.CalledProcessError as error:
            print("no bridge or TAP interfaces here:", error.stderr.decode().strip())
    else:
        if os.geteuid() == 0:
            become_nobody()
        number = os.getpid()
        for last, name in enumerate(("near", "far"), start=1):
            address = f"127.{number % 253 + 1}.{number // 253 % 253 + 1}.{last}"
            HOSTS[name] = ([], {"ROCELAB_ADDRESSES": address})
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(OnLoopback)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if keeper is not None:
        keeper.kill()
        keeper.communicate()
    sys.exit(0 if result.wasSuccessful() else 1)


PEER = sys.argv.pop(1)
main()
