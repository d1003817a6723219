"""`rocelab report` from outside: what it writes, its messages and statuses; and what the build says without a registry.

usage: command_test.py ROCELAB MAKE_RESULTS SOURCE_ROOT {page,no-page}
"""
import csv
import os
import pathlib
import sqlite3
import stat
import subprocess
import sys
import tempfile
import unittest

ROCELAB, MAKE_RESULTS, ROOT = (os.path.abspath(path) for path in sys.argv[1:4])
WITH_PAGE = sys.argv[4] == "page"
WEB = pathlib.Path(ROOT, "src/sim/report/web")


class Command(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="rocelab-report-")
        self.addCleanup(self._folder.cleanup)
        self.results = self.path("results.db")
        subprocess.run([MAKE_RESULTS, self.results, "flows=50", "samples=4"], check=True, timeout=60)

    def path(self, name):
        return os.path.join(self._folder.name, name)

    def files(self):
        return sorted(os.listdir(self._folder.name))

    def report(self, *words):
        run = subprocess.run([ROCELAB, "report", *words], capture_output=True, text=True, timeout=60, cwd=self._folder.name)
        return run.returncode, run.stdout, run.stderr

    def check_refused(self, words, message, status=1):
        before = self.files()
        self.assertEqual(self.report(*words), (status, "", f"rocelab report: {message}\n"))
        self.assertEqual(self.files(), before)

    @unittest.skipUnless(WITH_PAGE, "built without the page")
    def test_page(self):
        """the page lies beside the results unless told otherwise, and says where"""
        self.assertEqual(self.report(self.results), (0, self.path("results.html") + "\n", ""))
        self.assertEqual(self.report("results.db", "-o", "other.html"), (0, "other.html\n", ""))
        self.assertEqual(pathlib.Path(self.path("other.html")).read_bytes(), pathlib.Path(self.path("results.html")).read_bytes())
        os.rename(self.results, self.path("no-suffix"))
        self.assertEqual(self.report("./no-suffix"), (0, "./no-suffix.html\n", ""))
        page = pathlib.Path(self.path("results.html")).read_text(encoding="utf-8")
        for outside in ("<link rel=\"stylesheet", " src=", "@import", "url(http"):
            self.assertNotIn(outside, page[:page.index("<script>")])

    @unittest.skipIf(WITH_PAGE, "built with the page")
    def test_no_page(self):
        """a build without the page says so"""
        self.check_refused([self.results], "this rocelab was built without the page (-Dreport=disabled); --csv works")

    def test_csv(self):
        """--csv writes a file a table, as other programs read it"""
        self.assertEqual(self.report(self.results, "--csv", "tables"), (0, "", ""))
        tables = [row[0] for row in sqlite3.connect(self.results).execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        self.assertEqual(sorted(os.listdir(self.path("tables"))), sorted(table + ".csv" for table in tables))
        with open(self.path("tables/finding.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["at_ps", "severity", "kind", "node", "port", "text"])
        self.assertEqual(rows[1][5], 'host0 paused its link for more than half of 100 us, "and" <that> is, well, much')
        self.assertEqual(rows[2][3:5], ["", ""])

    def test_what_is_no_results_file(self):
        """files of others, unfinished and damaged ones are refused, and nothing is written"""
        page = WITH_PAGE
        refused = (lambda name, message: self.check_refused([name] if page else [name, "--csv", "x"], f"{name}: {message}"))
        refused("none.db", "No such file or directory")
        pathlib.Path(self.path("text.db")).write_text("not a database, whatever its name says " * 5, encoding="utf-8")
        refused("text.db", "file is not a database")
        with sqlite3.connect(self.path("other.db")) as other:
            other.execute("CREATE TABLE flow(id)")
        refused("other.db", "it is an SQLite database, but not one of `rocelab sim`, or of a run that never ended")
        whole = pathlib.Path(self.results).read_bytes()
        pathlib.Path(self.path("cut.db")).write_bytes(whole[:5000])
        refused("cut.db", "database disk image is malformed")
        if page:
            self.check_refused(["results.db", "none.db"], "none.db: No such file or directory")

    @unittest.skipUnless(WITH_PAGE, "built without the page")
    def test_output_that_cannot_be_written(self):
        """a page that cannot be written is an error with its path"""
        self.check_refused(["results.db", "-o", "no/page.html"], "cannot write no/page.html: No such file or directory")
        self.check_refused(["results.db", "-o", "/dev/full"], "cannot write /dev/full: is there and is no ordinary file")
        self.check_refused(["results.db", "-o", "."], "cannot write .: is a folder")

    def test_simulated_runs_repeat(self):
        """rocelab sim: the same scenario and seed give the same bytes, on one thread or two; another seed gives others"""
        def simulate(name, *words):
            subprocess.run([ROCELAB, "sim", os.path.join(ROOT, "tests/sim/report/web_search.toml"), "--quiet", "--out",
                            self.path(name), *words], check=True, timeout=120)
            self.assertTrue(os.path.exists(self.path(name + ".timing")))
            return pathlib.Path(self.path(name)).read_bytes()
        first = simulate("first.db")
        self.assertTrue(first == simulate("again.db"))
        self.assertTrue(first == simulate("threads.db", "--threads", "2"))
        self.assertFalse(first == simulate("other.db", "--seed", "2"))
        for table, least in (("flow", 10), ("link_sample", 100), ("queue_sample", 100), ("counter", 100)):
            count = sqlite3.connect(self.path("first.db")).execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            self.assertGreaterEqual(count, least, table)

    def test_disk_that_fills_up(self):
        """a results file, a page or a CSV file that cannot be written to its end: a sentence, and nothing that looks whole"""
        def limited(*words, kib):
            return subprocess.run(["sh", "-c", f'ulimit -f {kib * 2}; exec "$0" "$@"', ROCELAB, *words], capture_output=True,
                                  text=True, timeout=120, cwd=self._folder.name)
        before = self.files()
        run = limited("sim", os.path.join(ROOT, "tests/sim/report/web_search.toml"), "--quiet", "--out", "full.db", kib=100)
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertRegex(run.stderr, r"\Arocelab sim: cannot write the results full.db: [^\n]+\n\Z")
        self.assertEqual(self.files(), before)
        if WITH_PAGE:
            run = limited("report", "results.db", kib=100)
            self.assertEqual((run.returncode, run.stdout, run.stderr),
                             (1, "", "rocelab report: cannot write results.html: File too large\n"))
            self.assertEqual(self.files(), before)
        run = limited("report", "results.db", "--csv", ".", kib=1)
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertRegex(run.stderr, r"\Arocelab report: cannot write \./\w+\.csv: File too large\n\Z")
        self.assertFalse([name for name in self.files() if "partial" in name])

    def test_usage(self):
        """no file, three files, two files for CSV: mistakes on the command line"""
        for words in ([], ["a", "b", "c"], ["--what", "a"]):
            status, _, errors = self.report(*words)
            self.assertEqual(status, 2, errors)
        self.check_refused(["results.db", "results.db", "--csv", "x"], "--csv takes one results file", status=2)

    def test_no_registry(self):
        """the lock file names no registry, and without one the build says what to do"""
        self.assertNotIn("http", (WEB / "package-lock.json").read_text(encoding="utf-8"))
        npm = pathlib.Path(self.path("npm"))
        npm.write_text("#!/bin/sh\necho no such host\nexit 1\n", encoding="utf-8")
        npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
        run = subprocess.run([sys.executable, WEB / "fetch.py", npm, WEB / "package.json", WEB / "package-lock.json",
                              self.path("work"), self.path("library.js")], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 1)
        self.assertIn("no such host", run.stderr)
        self.assertIn("error: the chart library of `rocelab report` could not be fetched", run.stderr)
        self.assertIn("-Dreport=disabled", run.stderr)
        self.assertFalse(os.path.exists(self.path("library.js")))


unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2)
