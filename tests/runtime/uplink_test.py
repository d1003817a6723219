"""uplink_test.py PEER: two hosts in network namespaces joined by a veth pair, each with an uplink on its interface:
af_packet, and AF_XDP where the kernel allows it.

    near (10.77.0.1, fd00:77::1, VLAN 5: 10.75.0.1) === far (10.77.0.2, fd00:77::2, VLAN 5: 10.75.0.2)

PEER is tests/runtime/peer.cc. Needs root, and the right to make namespaces: else a skip with the reason. The namespaces
carry the process number in their names and are removed at the end.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PEER = sys.argv.pop(1)
NAMES = {name: f"rocelab-up-{os.getpid()}-{name}" for name in ("near", "far")}
UNREACHABLE = ("113", "110")  # EHOSTUNREACH, or ETIMEDOUT when the kernel is still asking
# Indices of the GID table: link-local, IPv4, IPv6, the VLAN's IPv4; version 1 before version 2.
LINK_LOCAL, IPV4, IPV6, VLAN = 0, 2, 4, 6
have_vlan = set()  # the namespaces with a VLAN interface


def ip(*words, namespace=None):
    where = ["-n", NAMES[namespace]] if namespace else []
    subprocess.run(["ip", *where, *words], capture_output=True, check=True)


def set_up():
    for name in NAMES:
        ip("netns", "add", NAMES[name])
        ip("link", "set", "lo", "up", namespace=name)
    ip("link", "add", "veth0", "netns", NAMES["near"], "type", "veth", "peer", "name", "veth0", "netns", NAMES["far"])
    for number, name in enumerate(NAMES, start=1):
        ip("addr", "add", f"10.77.0.{number}/24", "dev", "veth0", namespace=name)
        ip("addr", "add", f"fd00:77::{number}/64", "dev", "veth0", "nodad", namespace=name)
        ip("link", "set", "veth0", "up", namespace=name)
        try:
            ip("link", "add", "link", "veth0", "name", "veth0.5", "type", "vlan", "id", "5", namespace=name)
        except subprocess.CalledProcessError:
            continue  # a kernel without VLANs
        ip("addr", "add", f"10.75.0.{number}/24", "dev", "veth0.5", namespace=name)
        ip("link", "set", "veth0.5", "up", namespace=name)
        have_vlan.add(name)


def tear_down():
    for name in NAMES.values():
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class Peer:
    """A process of the host `namespace`; processes with the same run directory are one host."""

    def __init__(self, namespace, run_dir, interface="veth0", **variables):
        environment = dict(os.environ, **{"ROCELAB_RUN_DIR": run_dir, "ROCELAB_PORT": "af_packet",
                                          "ROCELAB_INTERFACE": interface, **variables})
        self.process = subprocess.Popen(["ip", "netns", "exec", NAMES[namespace], PEER], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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

    def end(self):
        self.process.kill()
        self.process.communicate()


class Uplink(unittest.TestCase):
    port = "af_packet"

    def setUp(self):
        self.peers = []
        self.directories = {name: tempfile.mkdtemp(prefix="rocelab-") for name in NAMES}

    def tearDown(self):
        for peer in self.peers:
            peer.end()
        for directory in self.directories.values():
            shutil.rmtree(directory, ignore_errors=True)

    def start(self, namespace, **variables):
        self.peers.append(Peer(namespace, self.directories[namespace], **{"ROCELAB_PORT": self.port, **variables}))
        return self.peers[-1]

    def join(self, a, b, gid, **options):
        (at_a, address_a), (at_b, address_b) = a.new(gid, **options), b.new(gid, **options)
        self.assertEqual(a.ask(f"connect {at_a} {address_b}"), "0")
        self.assertEqual(b.ask(f"connect {at_b} {address_a}"), "0")
        return at_a, at_b

    def test_every_address_carries_both_versions(self):
        near, far = self.start("near"), self.start("far")
        for gid in (LINK_LOCAL, IPV4, IPV6) + ((VLAN,) if len(have_vlan) == 2 else ()):
            for version in (0, 1):
                with self.subTest(gid=gid, version=version + 1):
                    at_near, at_far = self.join(near, far, gid + version)
                    self.assertEqual(near.ask(f"write {at_near} 5 20000 1"), "ok")
                    self.assertEqual(far.ask(f"write {at_far} 5 20000 2"), "ok")

    def test_two_processes_of_a_host_share_the_uplink_and_talk_to_each_other(self):
        one, two, far = self.start("near"), self.start("near"), self.start("far")
        to_far = [self.join(peer, far, IPV4 + 1)[0] for peer in (one, two)]
        between, _ = self.join(one, two, IPV4 + 1)
        self.assertEqual(one.ask(f"write {between} 5 20000 1"), "ok")
        for peer, at in zip((one, two), to_far):
            peer.tell(f"write {at} 20 20000 1")
        self.assertEqual([one.hear(), two.hear()], ["ok", "ok"])

    def test_a_host_that_has_gone_runs_into_the_retries(self):
        near, far = self.start("near"), self.start("far")
        patient, _ = self.join(near, far, IPV4 + 1)
        hasty, _ = self.join(near, far, IPV4 + 1, timeout=10, retries=2)
        self.assertEqual(near.ask(f"write {patient} 1 1000 1"), "ok")
        far.end()
        self.assertTrue(near.ask(f"write {hasty} 1 1000 1").startswith("status 12 "))

    def test_an_address_that_nobody_has_is_unreachable(self):
        near = self.start("near")
        at, _ = near.new(IPV4 + 1)
        self.assertIn(near.ask(f"connect {at} 65600 10.77.0.99 0 0"), UNREACHABLE)
        self.assertEqual(near.ask(f"connect {at} 65600 10.99.0.1 0 0"), UNREACHABLE[0])

    def test_more_than_the_interface_carries_is_refused(self):
        peer = self.start("near", ROCELAB_MTU="4096")
        _, error = peer.process.communicate(timeout=60)
        self.assertEqual(peer.process.returncode, 2)
        self.assertIn("mtu: 4096: interface `veth0` with its MTU of 1500 carries at most 1024", error)

    def test_an_interface_that_is_not_there_is_refused(self):
        peer = self.start("near", interface="veth9")
        _, error = peer.process.communicate(timeout=60)
        self.assertEqual(peer.process.returncode, 2)
        self.assertIn("interface `veth9`: there is none of this name", error)


class XdpUplink(Uplink):
    port = "af_xdp"

    def attached(self, namespace):
        said = subprocess.run(["ip", "-n", NAMES[namespace], "link", "show", "veth0"], capture_output=True, text=True,
                              check=True)
        return "xdp" in said.stdout

    def test_the_first_process_gets_the_queue_and_the_others_their_packets(self):
        near = []
        for _ in range(3):
            near.append(self.start("near", ROCELAB_LOG="warn"))
            near[-1].ask("slot")  # it is there: the first is the first
        far = self.start("far")
        for peer in near:
            at, _ = self.join(peer, far, IPV4 + 1)
            self.assertEqual(peer.ask(f"write {at} 20 20000 1"), "ok")
            at, _ = self.join(peer, far, IPV4)
            self.assertEqual(peer.ask(f"write {at} 20 20000 2"), "ok")
        if not self.attached("near"):
            self.skipTest("no XDP here: " + near[0].process.stderr.readline())
        self.assertTrue(self.attached("far"))
        self.assertIn("another XDP program is attached", near[1].process.stderr.readline())
        # The owner of the queue is killed: its program goes with it, and what it had is for the next.
        near[0].end()
        for peer in near[1:]:
            at, _ = self.join(peer, far, IPV4 + 1)
            self.assertEqual(peer.ask(f"write {at} 20 20000 3"), "ok")
        # The kernel takes its time with that; whoever starts meanwhile stays with af_packet.
        self.assertTrue(any(not self.attached("near") for _ in range(1000)))
        heir = self.start("near")
        at, _ = self.join(heir, far, IPV4 + 1)
        self.assertEqual(heir.ask(f"write {at} 20 20000 4"), "ok")
        self.assertTrue(self.attached("near"))

    def test_a_frame_too_long_for_xdp_leaves_the_interface_to_af_packet(self):
        for name in NAMES:
            ip("link", "set", "veth0", "mtu", "9000", namespace=name)
        try:
            near, far = self.start("near", ROCELAB_LOG="warn"), self.start("far")
            at, _ = self.join(near, far, IPV4 + 1)
            self.assertEqual(near.ask(f"write {at} 5 100000 1"), "ok")
            self.assertIn("AF_XDP carries 3840; using af_packet instead", near.process.stderr.readline())
        finally:
            for name in NAMES:
                ip("link", "set", "veth0", "mtu", "1500", namespace=name)


def main():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("SKIP: network namespaces need root and iproute2")
        sys.exit(77)
    try:
        set_up()
    except subprocess.CalledProcessError as error:
        tear_down()
        print("SKIP: no network namespaces here:", error.stderr.decode().strip())
        sys.exit(77)
    try:
        unittest.main(verbosity=2)
    finally:
        tear_down()


main()
