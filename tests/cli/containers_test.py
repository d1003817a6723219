"""containers_test.py ROCELAB LIBIBVERBS DOC: what docs/containers.md tells people to type works.

There is no docker here: the commands of its first example run in a user and network namespace, as in a rootless container,
and the packages of its Dockerfile's second stage must be those of the libraries that the programs need.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROCELAB, LIBIBVERBS, DOC = (os.path.abspath(path) for path in sys.argv[1:4])
with open(DOC, encoding="utf-8") as file:
    PAGE = file.read()


def example(title):
    """The indented lines below a heading up to the next paragraph."""
    section = PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = section.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("    "))
    block = []
    for line in lines[start:]:
        if line and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block)


class Containers(unittest.TestCase):
    def test_the_first_example_moves_bytes_in_a_namespace(self):
        if subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no unprivileged namespaces here")
        if shutil.which("ib_write_bw") is None:
            self.skipTest("perftest is not installed")
        commands = example("Try it without a container").strip().split("\n")
        self.assertEqual(commands[0], "unshare -Urn bash")
        server, client = (line for line in commands if "ib_write_bw" in line)
        self.assertTrue(server.endswith(" &"))
        with tempfile.TemporaryDirectory(prefix="rocelab-") as folder:
            def here(line):
                return line.replace("build/rocelab", ROCELAB).replace("/tmp/", folder + "/")
            listening = "until grep -qi ':4853 [0-9a-f:]* 0a' /proc/net/tcp; do kill -0 $server; done"
            script = "\n".join(["set -e", "ip link set lo up", here(server), "server=$!", listening, here(client), "wait"])
            ran = subprocess.run(["unshare", "-Urn", "bash", "-c", script], capture_output=True, text=True, timeout=100,
                                 check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertRegex(ran.stdout, r"65536 +\d+ +\d+\.\d+")
        self.assertIn("127:00:00:02", ran.stdout)  # perftest prints GIDs so

    def test_the_image_has_every_library(self):
        if shutil.which("dpkg-query") is None or not os.path.exists("/etc/debian_version"):
            self.skipTest("no Debian")
        with open("/etc/debian_version", encoding="ascii") as file:
            if not file.read().startswith("12"):
                self.skipTest("another Debian than the page's")
        second_stage = example("A Dockerfile").split("FROM debian:12\n")[1]
        packages = set(re.findall(r"[a-z0-9+.-]+", second_stage))
        for program in (ROCELAB, LIBIBVERBS):
            needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
            for path in re.findall(r"=> (/\S+)", needed):
                if "/build" in path:
                    continue
                owner = subprocess.run(["dpkg-query", "-S", os.path.realpath(path)], capture_output=True, text=True,
                                       check=False).stdout.split(":")[0]
                if owner in ("libc6", "libgcc-s1", ""):
                    continue
                self.assertIn(owner, packages, f"{path} of {os.path.basename(program)}")


del sys.argv[1:]
unittest.main(verbosity=2)
