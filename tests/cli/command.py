"""The rocelab command as its users see it: exit statuses, messages, and what a program under `rocelab run` finds.
command.py ROCELAB. Uses run directories of its own."""
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

ROCELAB = os.path.abspath(sys.argv[1])


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rocelab-command-")
        self.addCleanup(self.folder.cleanup)
        self.host = os.path.join(self.folder.name, "host")
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith("ROCELAB_") and k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
        self.environment["ROCELAB_RUN_DIR"] = self.host

    def rocelab(self, *arguments, **more):
        return subprocess.run([ROCELAB, *arguments], env={**self.environment, **more.pop("env", {})}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                              cwd=self.folder.name, **more)

    def refused(self, status, words, *arguments, **more):
        done = self.rocelab(*arguments, **more)
        self.assertEqual(done.returncode, status, done)
        for word in words:
            self.assertIn(word, done.stderr)
        return done

    # --- mistakes ---------------------------------------------------------------------------------------------------
    def test_mistakes_on_the_command_line_are_status_2(self):
        self.refused(2, ["subcommand"])
        self.refused(2, ["sub"], "no-such-command")
        self.refused(2, ["--no-such-option"], "dev", "--no-such-option")
        self.refused(2, ["no program given"], "run")
        self.refused(2, ["no program given"], "run", "--")

    def test_each_option_is_refused_with_its_name_value_and_range(self):
        for option, value, expected in (("--mtu", "300", "256, 512, 1024, 2048, 4096"), ("--devices", "0", "1 to 8"),
                                        ("--devices", "many", "1 to 8"), ("--port", "pigeon", "host, af_packet"),
                                        ("--interface", "much-too-long-for-one", "1 to 15"),
                                        ("--log", "loud", "off, error, warn, info, debug"),
                                        ("--limits", "qp=many", "objects, memory"),
                                        ("--addresses", "1.2.3", "IPv4 or IPv6"), ("--mtu", "", "empty")):
            with self.subTest(option=option, value=value):
                self.refused(2, [option, value, expected], "run", option, value, "--", "true")
                self.refused(2, [option, value, expected], "dev", option, value)

    def test_variables_and_files_are_checked_before_the_program_starts(self):
        self.refused(2, ["ROCELAB_MTU", "300"], "run", "--", "true", env={"ROCELAB_MTU": "300"})
        self.refused(2, ["ROCELAB_MTUS"], "run", "--", "true", env={"ROCELAB_MTUS": "1024"})
        pathlib.Path(self.folder.name, "bad.toml").write_text("devices = 1\ncolour = 'red'\n", encoding="ascii")
        self.refused(2, ["bad.toml:2", "colour"], "run", "--config", "bad.toml", "--", "true")
        self.refused(2, ["absent.toml"], "run", "--config", "absent.toml", "--", "true")

    def test_a_program_that_cannot_be_started_is_126_or_127(self):
        self.refused(127, ["no-such-program", "not found"], "run", "--", "no-such-program")
        self.refused(127, ["/no/such/program", "not found"], "run", "--", "/no/such/program")
        plain = pathlib.Path(self.folder.name, "plain")
        plain.write_text("text", encoding="ascii")
        self.refused(126, [str(plain)], "run", "--", str(plain))
        self.refused(126, [self.folder.name], "run", "--", self.folder.name)

    def test_a_run_directory_that_is_not_ours_alone_is_125(self):
        self.refused(125, ["/no/such"], "run", "--run-dir", "/no/such/folder", "--", "true")
        os.mkdir(self.host, 0o755)
        self.refused(125, [self.host, "0700"], "run", "--", "true")

    # --- run --------------------------------------------------------------------------------------------------------
    def test_the_status_is_the_program_s(self):
        self.assertEqual(self.rocelab("run", "--", "sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(self.rocelab("run", "--", "sh", "-c", "kill -TERM $$").returncode, -15)

    def test_the_program_gets_its_arguments_untouched(self):
        wanted = ["--mtu", "1", "", "--", "a b", "-x", "--help"]
        script = "import sys; print(sys.argv[1:])"
        done = self.rocelab("run", "--mtu", "1024", "--", sys.executable, "-c", script, *wanted)
        self.assertEqual(done.stdout, f"{wanted}\n", done)
        # Without our `--` the first word that is no option of ours begins the program.
        done = self.rocelab("run", "--mtu", "1024", sys.executable, "-c", script, "-n", "--mtu", "3")
        self.assertEqual(done.stdout, "['-n', '--mtu', '3']\n", done)

    def test_options_become_variables_and_win_over_those_that_are_there(self):
        done = self.rocelab("run", "--mtu", "1024", "--pcap", "x-%p", "--", "env",
                            env={"ROCELAB_MTU": "512", "LD_LIBRARY_PATH": "/elsewhere"})
        variables = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        self.assertEqual(variables["ROCELAB_MTU"], "1024")
        self.assertEqual(variables["ROCELAB_PCAP"], os.path.join(os.path.realpath(self.folder.name), "x-%p"))
        self.assertEqual(variables["ROCELAB_RUN_DIR"], self.host)
        library, rest = variables["LD_LIBRARY_PATH"].split(":", 1)
        self.assertEqual(rest, "/elsewhere")
        self.assertTrue(os.path.exists(os.path.join(library, "libibverbs.so.1")))
        self.assertEqual(variables["LD_PRELOAD"], os.path.join(library, "librocelab-preload.so"))

    def test_run_within_run_adds_nothing_twice(self):
        done = self.rocelab("run", "--", ROCELAB, "run", "--", "env")
        variables = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        self.assertNotIn(":", variables["LD_LIBRARY_PATH"])
        self.assertNotIn(":", variables["LD_PRELOAD"])

    def test_the_program_sees_sysfs_and_the_library(self):
        done = self.rocelab("run", "--devices", "2", "--", "ls", "/sys/class/infiniband")
        self.assertEqual(done.stdout, "rocelab0\nrocelab1\n", done)
        done = self.rocelab("run", "--", "ls", "-lR", "/sys/class/infiniband/", "/sys/class/infiniband_verbs")
        self.assertEqual(done.stderr, "", done)
        self.assertIn("rocelab0 -> ../../devices/virtual/infiniband/rocelab0", done.stdout)
        done = self.rocelab("run", "--", "cat", "/sys/class/infiniband/rocelab0/ports/1/state")
        self.assertEqual(done.stdout, "4: ACTIVE\n", done)
        script = "import ctypes; ctypes.CDLL('libibverbs.so.1'); print(open('/proc/self/maps').read())"
        done = self.rocelab("run", "--", sys.executable, "-c", script)
        self.assertIn(os.path.join(os.path.dirname(ROCELAB), "lib", "libibverbs.so.1"), done.stdout, done)

    def test_the_run_directory_is_closed_to_others_and_holds_whole_trees_only(self):
        runs = [subprocess.Popen([ROCELAB, "run", "--devices", str(1 + i % 2), "--", "true"], env=self.environment)
                for i in range(6)]
        self.assertEqual([r.wait(timeout=60) for r in runs], [0] * len(runs))
        self.assertEqual(stat.S_IMODE(os.stat(self.host).st_mode), 0o700)
        trees = [f for f in os.listdir(self.host) if f.startswith("sysfs")]
        self.assertEqual(len(trees), 2, trees)
        for tree in trees:
            self.assertTrue(os.path.exists(os.path.join(self.host, tree, "class/infiniband/rocelab0/ports/1/state")))

    # --- dev --------------------------------------------------------------------------------------------------------
    def test_dev_shows_devices_as_text_and_as_json(self):
        text = self.rocelab("dev", "--devices", "2", "--verbose", "--counters")
        self.assertEqual(text.returncode, 0, text)
        for word in ("rocelab0", "rocelab1", "node GUID", "RoCE v2", "max_qp_wr", "sent_pkts", "drop_bad_qpn",
                     "rx_bad_icrc", "no process"):
            self.assertIn(word, text.stdout)
        shown = json.loads(self.rocelab("dev", "--devices", "2", "--json").stdout)
        self.assertEqual([d["name"] for d in shown["devices"]], ["rocelab0", "rocelab1"])
        self.assertEqual(shown["host"]["run_dir"], self.host)
        self.assertEqual(shown["devices"][0]["counters"]["sent_pkts"], 0)
        self.assertEqual({g["type"] for g in shown["devices"][0]["gids"]}, {"IB/RoCE v1", "RoCE v2"})
        only = json.loads(self.rocelab("dev", "rocelab1", "--devices", "2", "--json").stdout)
        self.assertEqual([d["name"] for d in only["devices"]], ["rocelab1"])

    def test_dev_makes_nothing_and_knows_its_devices(self):
        self.refused(1, ["rocelab7", "rocelab0"], "dev", "rocelab7")
        self.assertFalse(os.path.exists(self.host))

    def processes(self):
        return json.loads(self.rocelab("dev", "--json").stdout)["host"]["processes"]

    @unittest.skipUnless(shutil.which("ibv_rc_pingpong"), "ibverbs-utils is not installed")
    def test_dev_shows_the_processes_that_use_the_host_as_long_as_they_live(self):
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = str(probe.getsockname()[1])
        # A server: it has opened the device when it waits for its client.
        user = subprocess.Popen([ROCELAB, "run", "--", "ibv_rc_pingpong", "-g", "3", "-p", port], env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            while not self.processes():
                if user.poll() is not None:
                    self.fail(user.stderr.read())
            (process,) = self.processes()
            self.assertEqual(process["pid"], user.pid)
            self.assertEqual(process["command"], "ibv_rc_pingpong")
            self.assertEqual(process["qpn_first"], process["slot"] << 16)
            self.assertEqual(process["qpn_last"], process["slot"] << 16 | 0xffff)
            self.assertIn(str(user.pid), self.rocelab("dev").stdout)
        finally:
            user.kill()
            user.communicate()
        self.assertEqual(self.processes(), [])

    def test_dev_and_the_program_agree_about_the_device(self):
        shown = json.loads(self.rocelab("dev", "--json").stdout)["devices"][0]
        sysfs = self.rocelab("run", "--", "cat", "/sys/class/infiniband/rocelab0/node_guid").stdout.strip()
        self.assertEqual(sysfs, shown["node_guid"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
