"""namespaces_test.py PORT_TOOL: af_packet ports and neighbours between network namespaces joined by veth pairs.

    near (10.77.0.1, fd00:77::1) === mid (10.77.0.2, fd00:77::2 | 10.78.0.1, fd00:78::1) === far (10.78.0.2, fd00:78::2)

`mid` is the gateway between near and far. Needs root, and the right to make namespaces: else a skip with the reason. The
namespaces carry the process number in their names and are removed at the end.
"""
import os
import re
import shutil
import subprocess
import sys
import unittest

TOOL = sys.argv.pop(1)
NAMES = {name: f"rocelab-{os.getpid()}-{name}" for name in ("near", "mid", "far")}
NOBODY = 65534


def ip(*words, namespace=None):
    where = ["-n", NAMES[namespace]] if namespace else []
    return subprocess.run(["ip", *where, *words], capture_output=True, text=True, check=True).stdout


def command(namespace, *words):
    return ["ip", "netns", "exec", NAMES[namespace], *words]


def tool(namespace, *words, prefix=()):
    return subprocess.run(command(namespace, *prefix, TOOL, *words), capture_output=True, text=True, timeout=60,
                          check=False)


def mac(namespace, interface):
    return re.search(r"link/ether (\S+)", ip("link", "show", interface, namespace=namespace)).group(1)


def address(namespace, interface, *addresses):
    for a in addresses:
        flags = ["nodad"] if ":" in a else []
        ip("addr", "add", a, "dev", interface, *flags, namespace=namespace)
    ip("link", "set", interface, "up", namespace=namespace)


def set_up():
    for name in NAMES:
        ip("netns", "add", NAMES[name])
        ip("link", "set", "lo", "up", namespace=name)
    ip("link", "add", "veth0", "netns", NAMES["near"], "type", "veth", "peer", "name", "veth0", "netns", NAMES["mid"])
    ip("link", "add", "veth1", "netns", NAMES["mid"], "type", "veth", "peer", "name", "veth1", "netns", NAMES["far"])
    address("near", "veth0", "10.77.0.1/24", "fd00:77::1/64")
    address("mid", "veth0", "10.77.0.2/24", "fd00:77::2/64")
    address("mid", "veth1", "10.78.0.1/24", "fd00:78::1/64")
    address("far", "veth1", "10.78.0.2/24", "fd00:78::2/64")
    ip("route", "add", "default", "via", "10.77.0.2", namespace="near")
    ip("-6", "route", "add", "default", "via", "fd00:77::2", namespace="near")
    # An IPv4 network behind an IPv6 gateway.
    ip("route", "add", "10.79.0.0/24", "via", "inet6", "fd00:77::2", "dev", "veth0", namespace="near")


def tear_down():
    for name in NAMES.values():
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class Packets(unittest.TestCase):
    def exchange(self, count, vlan):
        listener = subprocess.Popen(command("mid", TOOL, "packet-listen", "veth0", str(count)), text=True,
                                    stdout=subprocess.PIPE)
        try:
            self.assertEqual(listener.stdout.readline(), "ready\n")
            # Other traffic first: none of it may arrive at the port.
            subprocess.run(command("near", "ping", "-c", "1", "10.77.0.2"), capture_output=True, check=False)
            tool("near", "neighbour", "veth0", "10.77.0.2", "5000")
            sent = tool("near", "packet-send", "veth0", mac("mid", "veth0"), str(count), str(vlan))
            self.assertEqual(sent.stdout, f"sent {count}, own frames seen 0\n")
            lines = listener.stdout.read().splitlines()
            self.assertEqual(listener.wait(), 0)
        finally:
            listener.kill()
            listener.wait()
            listener.stdout.close()
        expected = [f"{n} {n % 3} {vlan if vlan else '-'} good" for n in range(count)]
        self.assertEqual(lines, expected)

    def test_frames_of_every_encapsulation_arrive_whole_and_nothing_else_does(self):
        self.exchange(300, 0)

    def test_vlan_tags_survive_the_kernel(self):
        self.exchange(300, 7)

    def test_more_frames_than_the_ring_holds(self):
        # The receiver may lose some when it is slow; a sender faster than the ring must not: all leave.
        sent = tool("near", "packet-send", "veth0", mac("mid", "veth0"), "5000", "0")
        self.assertEqual(sent.stdout, "sent 5000, own frames seen 0\n")

    def test_frames_to_others_are_not_taken(self):
        # The listener hears one packet for itself, sent last, and none of those before it.
        listener = subprocess.Popen(command("mid", TOOL, "packet-listen", "veth0", "1"), text=True,
                                    stdout=subprocess.PIPE)
        try:
            self.assertEqual(listener.stdout.readline(), "ready\n")
            tool("near", "packet-send", "veth0", "02:00:00:00:00:99", "10", "0")
            tool("near", "packet-send", "veth0", mac("mid", "veth0"), "1", "0")
            self.assertEqual(listener.stdout.read(), "0 0 - good\n")
        finally:
            listener.kill()
            listener.wait()
            listener.stdout.close()

    def test_frame_size_follows_the_mtu_and_link_the_interface(self):
        opened = tool("far", "packet-open", "veth1")
        self.assertEqual(opened.stdout, "frame_bytes_max 1518 link up\n")
        ip("link", "set", "veth1", "mtu", "9000", namespace="far")
        self.assertEqual(tool("far", "packet-open", "veth1").stdout, "frame_bytes_max 4260 link up\n")
        ip("link", "set", "veth1", "mtu", "1500", "down", namespace="far")
        self.assertEqual(tool("far", "packet-open", "veth1").stdout, "frame_bytes_max 1518 link down\n")
        address("far", "veth1")
        ip("addr", "replace", "fd00:78::2/64", "dev", "veth1", "nodad", namespace="far")

    def test_an_interface_goes_down_comes_up_and_is_removed_under_the_port(self):
        ip("link", "add", "veth8", "type", "veth", "peer", "name", "veth9", namespace="far")
        address("far", "veth8")
        address("far", "veth9")
        watcher = subprocess.Popen(command("far", TOOL, "packet-watch", "veth8"), text=True, stdout=subprocess.PIPE)
        try:
            self.assertEqual(watcher.stdout.readline(), "up\n")
            ip("link", "set", "veth8", "down", namespace="far")
            self.assertEqual(watcher.stdout.readline(), "down\n")
            ip("link", "set", "veth8", "up", namespace="far")
            self.assertEqual(watcher.stdout.readline(), "up\n")
            ip("link", "del", "veth8", namespace="far")
            self.assertEqual(watcher.stdout.readline(), "down\n")
            watcher.stdout.readline()
            self.assertEqual(watcher.wait(), 0)
        finally:
            watcher.kill()
            watcher.wait()
            watcher.stdout.close()

    def test_wrong_interfaces_are_told_apart(self):
        self.assertEqual(tool("near", "packet-open", "nowhere").stdout, "interface nowhere: No such device\n")
        self.assertEqual(tool("near", "packet-open", "lo").stdout, "interface lo: does not carry Ethernet\n")
        self.assertEqual(tool("near", "packet-open", "a,b").stdout, 'interface "a,b": not an interface name\n')

    def test_without_the_capability_the_message_names_it(self):
        if shutil.which("setpriv") is None:
            print("SKIP: setpriv is not installed")
            return
        refused = tool("near", "packet-open", "veth0",
                       prefix=("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"))
        self.assertEqual(refused.stdout, "interface veth0: no permission for raw packets: needs CAP_NET_RAW\n")
        self.assertEqual(refused.returncode, 1)


class Neighbours(unittest.TestCase):
    def setUp(self):
        ip("neigh", "flush", "all", namespace="near")
        self.gateway = mac("mid", "veth0")

    def resolve(self, destination, timeout_ms="20000", namespace="near", interface="veth0"):
        done = tool(namespace, "neighbour", interface, destination, timeout_ms)
        return done.returncode, done.stdout.strip()

    def test_a_missing_entry_is_provoked_and_found(self):
        self.assertEqual(self.resolve("10.77.0.2"), (0, self.gateway))
        self.assertEqual(self.resolve("fd00:77::2"), (0, self.gateway))

    def test_a_known_entry_needs_no_time(self):
        ip("neigh", "add", "10.77.0.9", "lladdr", "02:00:00:00:00:09", "dev", "veth0", namespace="near")
        self.assertEqual(self.resolve("10.77.0.9", "0"), (0, "02:00:00:00:00:09"))
        ip("neigh", "del", "10.77.0.9", "dev", "veth0", namespace="near")

    def test_off_link_destinations_get_the_gateway(self):
        self.assertEqual(self.resolve("10.78.0.2"), (0, self.gateway))
        self.assertEqual(self.resolve("fd00:78::2"), (0, self.gateway))
        self.assertEqual(self.resolve("10.79.0.5"), (0, self.gateway))

    def test_an_address_of_ours_is_our_own_mac(self):
        self.assertEqual(self.resolve("10.77.0.1"), (0, mac("near", "veth0")))
        self.assertEqual(self.resolve("fd00:77::1"), (0, mac("near", "veth0")))

    def test_nobody_answers(self):
        for destination in ("10.77.0.200", "fd00:77::200"):
            status, said = self.resolve(destination)
            self.assertEqual(status, 1)
            self.assertEqual(said, f"{destination} on interface veth0: the kernel asked for the neighbour's address and "
                                   "nobody answered: No route to host")

    def test_nobody_answers_in_time(self):
        status, said = self.resolve("10.77.0.201", "0")
        self.assertEqual(status, 1)
        self.assertEqual(said, "10.77.0.201 on interface veth0: the neighbour's address is not known yet: "
                               "Connection timed out")

    def test_no_route(self):
        for destination in ("192.0.2.1", "fd00:99::1"):
            status, said = self.resolve(destination, namespace="far", interface="veth1")
            self.assertEqual(status, 1)
            self.assertEqual(said, f"{destination} on interface veth1: no route to the destination by this interface: "
                                   "Network is unreachable")

    def test_the_route_leads_elsewhere(self):
        status, said = self.resolve("10.78.0.2", namespace="mid", interface="veth0")
        self.assertEqual(status, 1)
        self.assertIn("on interface veth0: no route to the destination by this interface", said)

    def test_not_unicast_and_no_interface(self):
        self.assertEqual(self.resolve("224.0.0.5"),
                         (1, "224.0.0.5 on interface veth0: not a unicast address: Invalid argument"))
        self.assertEqual(self.resolve("10.77.0.2", interface="veth9"),
                         (1, "10.77.0.2 on interface veth9: no such interface: No such device"))

    def test_without_any_privilege(self):
        if shutil.which("setpriv") is None:
            print("SKIP: setpriv is not installed")
            return
        done = tool("near", "neighbour", "veth0", "10.77.0.2", "20000",
                    prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
        self.assertEqual((done.returncode, done.stdout.strip()), (0, self.gateway))


def main():
    if os.geteuid() != 0:
        print("SKIP: network namespaces with veth pairs need root")
        sys.exit(77)
    if shutil.which("ip") is None:
        print("SKIP: ip (iproute2) is not installed")
        sys.exit(77)
    try:
        try:
            set_up()
        except subprocess.CalledProcessError as error:
            print(f"SKIP: no network namespaces here: {' '.join(error.cmd)}: {error.stderr.strip()}")
            sys.exit(77)
        unittest.main(verbosity=2)
    finally:
        tear_down()


if __name__ == "__main__":
    main()
