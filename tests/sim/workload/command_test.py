"""`rocelab sim` as its users see it: exit statuses, messages, tables, results, Ctrl-C. command_test.py ROCELAB ROOT"""
import json
import os
import pathlib
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

ROCELAB, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
EXAMPLES = sorted((ROOT / "examples" / "sim").glob("*.toml"))

LEAF_SPINE = """[topology]
kind = "leaf_spine"
[sampling]
interval = "10us"
[[workload]]
kind = "poisson"
sizes = "fb_hadoop"
duration = "{duration}"
"""


class Sim(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rocelab-sim-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return pathlib.Path(self.folder.name, name)

    def scenario(self, text, name="s.toml"):
        self.path(name).write_text(text, encoding="utf-8")
        return name

    def sim(self, *arguments, **more):
        return subprocess.run([ROCELAB, "sim", *map(str, arguments)], text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=300, check=False, cwd=self.folder.name, **more)

    def good(self, *arguments, **more):
        done = self.sim(*arguments, **more)
        self.assertEqual(done.returncode, 0, done)
        return done

    def test_every_example_runs_with_its_books_in_order(self):
        for example in EXAMPLES:
            with self.subTest(example=example.name):
                self.assertIn("complete", self.good(example, "--invariants").stdout)

    def test_a_run_says_what_came_of_it(self):
        done = self.good(self.scenario(LEAF_SPINE.format(duration="100us")))
        for word in ("16 hosts, 8 switches, 32 links", "complete", "slowdown", "p99", "packet-hops/s", "processor time"):
            self.assertIn(word, done.stdout)
        self.assertEqual(self.good("s.toml", "--quiet").stdout, "")

    def test_check_only_reads(self):
        done = self.good(self.scenario(LEAF_SPINE.format(duration="100us")), "--check", "--out", "r.db")
        self.assertIn("16 hosts", done.stdout)
        self.assertFalse(self.path("r.db").exists())

    def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(self):
        self.scenario(LEAF_SPINE.format(duration="300us"))
        for name, arguments in (("a", []), ("b", ["--threads", 2]), ("c", ["--threads", 3]), ("d", ["--seed", 1]),
                                ("e", ["--seed", 2])):
            self.good("s.toml", "--quiet", "--out", f"{name}.db", *arguments)
        bytes_of = {n: self.path(f"{n}.db").read_bytes() for n in "abcde"}
        for same in "bcd":
            self.assertEqual(bytes_of["a"], bytes_of[same], same)
        self.assertNotEqual(bytes_of["a"], bytes_of["e"])
        timing = json.loads(self.path("b.db.timing").read_text(encoding="utf-8"))
        self.assertEqual(timing["threads"], 2)

    def test_results_agree_with_themselves(self):
        self.good(self.scenario(LEAF_SPINE.format(duration="300us")), "--quiet", "--out", "r.db", "--csv", "csv")
        with sqlite3.connect(self.path("r.db")) as db:
            status, version = db.execute("SELECT status, version FROM run").fetchone()
            flows, bad = db.execute("SELECT count(*), sum(status <> 'ok') FROM flow").fetchone()
            early = db.execute("SELECT count(*) FROM flow_time WHERE slowdown < 0.9999").fetchone()[0]
            settings = dict(db.execute("SELECT key, value FROM setting"))
            samples = db.execute("SELECT count(*) FROM link_sample").fetchone()[0]
        self.assertEqual((status, bad, early), ("complete", 0, 0))
        self.assertTrue(version)
        self.assertGreater(flows, 50)
        self.assertGreater(samples, 0)
        self.assertEqual(settings["transport.congestion"], "dcqcn")
        lines = self.path("csv/flow.csv").read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(lines), flows + 1)

    def test_options_replace_what_the_scenario_says(self):
        self.scenario(LEAF_SPINE.format(duration="100us"))
        self.good("s.toml", "--quiet", "--no-cc", "--no-pfc", "--set", "switch.alpha=0.5", "--set",
                  "workload.0.load=0.1", "--out", "r.db")
        with sqlite3.connect(self.path("r.db")) as db:
            settings = dict(db.execute("SELECT key, value FROM setting"))
        self.assertEqual(settings["transport.congestion"], "none")
        self.assertEqual(settings["switch.pfc.enabled"], "false")
        self.assertEqual(settings["switch.alpha"], "0.5")
        self.assertEqual(settings["workload[0].load"], "0.1")

    def test_mistakes_are_status_2_with_file_line_and_key(self):
        self.scenario(LEAF_SPINE.format(duration="soon"))
        self.scenario("[topology]\nkind = \"fat_tree\"\nk = 3\n", "odd.toml")
        self.path("binary.toml").write_bytes(bytes(range(256)))
        for words, arguments in ((["s.toml:8", "workload[0].duration", "soon"], ["s.toml"]),
                                 (["odd.toml:3", "topology.k"], ["odd.toml"]),
                                 (["binary.toml:1"], ["binary.toml"]),
                                 (["none.toml", "no such file"], ["none.toml"]),
                                 (["is a folder"], ["."]),
                                 (["--set", "topology.k"], ["odd.toml", "--set", "topology.k=7"]),
                                 (["no-such-option"], ["s.toml", "--no-such-option"]),
                                 (["scenario"], [])):
            with self.subTest(arguments=arguments):
                done = self.sim(*arguments)
                self.assertEqual(done.returncode, 2, done)
                for word in words:
                    self.assertIn(word, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_results_that_cannot_be_written_are_status_1_before_or_after_the_run(self):
        self.scenario(LEAF_SPINE.format(duration="300us"))
        done = self.sim("s.toml", "--out", "no/such/folder/r.db")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("no/such/folder", done.stderr)

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

        done = self.sim("s.toml", "--out", "r.db", preexec_fn=small_files)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("r.db", done.stderr)
        self.assertEqual([p.name for p in pathlib.Path(self.folder.name).iterdir()], ["s.toml"])

    def test_ctrl_c_leaves_whole_results_that_are_marked_as_partial(self):
        self.scenario(LEAF_SPINE.format(duration="10s").replace("fb_hadoop\"", "websearch\"\nflows = 200000"))
        process = subprocess.Popen([ROCELAB, "sim", "s.toml", "--out", "r.db"], cwd=self.folder.name,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # The temporary file appears when the run is about to begin; the handler is in place before it begins.
        while process.poll() is None and not any(".partial" in p.name for p in pathlib.Path(self.folder.name).iterdir()):
            pass
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, out + errors)
        self.assertIn("INTERRUPTED", out)
        with sqlite3.connect(self.path("r.db")) as db:
            self.assertEqual(db.execute("SELECT status FROM run").fetchone()[0], "interrupted")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
