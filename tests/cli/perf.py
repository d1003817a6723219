"""rocelab perf as its users see it: every benchmark simulated and, between two processes, for real; what is refused.
perf.py ROCELAB SOURCE_ROOT. Uses run directories of its own."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest

ROCELAB, ROOT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SCENARIO = os.path.join(ROOT, "examples/sim/small.toml")
BENCHMARKS = [verb + measure for verb in ("write", "read", "send", "atomic") for measure in ("_bw", "_lat")]


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def figures(text):
    """The numbers of the lines behind `#bytes`."""
    lines = text[text.index("#bytes"):].splitlines()[1:]
    return [[float(word) for word in line.split()] for line in lines if re.match(r"\s*\d", line)]


class Perf(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rocelab-perf-")
        self.addCleanup(self.folder.cleanup)
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith("ROCELAB_") and k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
        self.environment["ROCELAB_RUN_DIR"] = os.path.join(self.folder.name, "host")

    def start(self, *arguments):
        return subprocess.Popen([ROCELAB, "perf", *arguments], env=self.environment, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, process, status=0):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, status, out + err)
        return out, err

    def simulated(self, name, *more):
        return self.finish(self.start(name, "--sim", SCENARIO, "--from", "host0", "--to", "host1", *more))[0]

    def test_every_benchmark_runs_in_virtual_time(self):
        for name in BENCHMARKS:
            with self.subTest(benchmark=name):
                rows = figures(self.simulated(name, "-n", "200"))
                self.assertEqual(len(rows), 1)
                self.assertEqual(rows[0][1], 200)
                self.assertEqual(len(rows[0]), 5 if name.endswith("_bw") else 9)
                self.assertGreater(rows[0][3], 0)

    def test_every_benchmark_runs_between_two_processes(self):
        for name in BENCHMARKS:
            with self.subTest(benchmark=name):
                port = str(free_port())
                server = self.start(name, "-n", "20", "-p", port)
                client = self.start(name, "-n", "20", "-p", port, "localhost")
                rows = figures(self.finish(client)[0])
                self.assertIn("Waiting for client", self.finish(server)[0])
                self.assertEqual([row[1] for row in rows], [20])

    def test_simulated_figures_are_the_same_every_time(self):
        once = figures(self.simulated("write_lat", "-a", "-n", "20"))
        self.assertEqual([row[0] for row in once], [2 ** i for i in range(1, 24)])
        self.assertEqual(once, figures(self.simulated("write_lat", "-a", "-n", "20")))
        self.assertTrue(all(a[3] <= b[3] for a, b in zip(once, once[1:])), "larger messages take longer")

    def test_a_host_profile_costs_time(self):
        ideal = figures(self.simulated("write_lat", "-n", "50", "--set", 'host.profile="ideal"'))[0]
        card = figures(self.simulated("write_lat", "-n", "50", "--set", 'host.profile="connectx"'))[0]
        inline = figures(self.simulated("write_lat", "-n", "50", "-I", "64", "--set", 'host.profile="connectx"'))[0]
        self.assertGreater(card[5], ideal[5] + 0.5)
        self.assertLess(inline[5], card[5] - 0.4)

    def test_mistakes_are_refused(self):
        for arguments, word in ((["fly_bw"], "fly_bw"), (["write_bw", "--from", "host0", "--to", "host1"], "--sim"),
                                (["write_bw", "--sim", SCENARIO, "--from", "host0", "--to", "host2"], "host2"),
                                (["write_bw", "--sim", "nowhere.toml", "--from", "host0", "--to", "host1"], "nowhere"),
                                (["write_bw", "--sim", SCENARIO, "--from", "host0"], "--to"),
                                (["write_bw", "-s", "0"], "0"), (["write_bw", "-m", "1500"], "1500")):
            with self.subTest(arguments=arguments):
                _, err = self.finish(self.start(*arguments), 2)
                self.assertIn(word, err)

    def test_ends_with_different_options_do_not_wait_for_each_other(self):
        port = str(free_port())
        server = self.start("write_lat", "-n", "20", "-p", port)
        client = self.start("write_lat", "-n", "21", "-p", port, "localhost")
        self.assertIn("same options", self.finish(client, 1)[1])
        self.assertIn("same options", self.finish(server, 1)[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
