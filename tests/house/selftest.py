"""Canaries: for each house rule a small tree that breaks it. A rule that lets its canary through is itself broken."""
import pathlib
import sys
import tempfile
import unittest

import house
import rules


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, content):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def expect_one(self, violations, *parts):
        self.assertEqual(len(violations), 1, violations)
        for part in parts:
            self.assertIn(part, violations[0])


class Includes(Tree):
    def test_a_forbidden_include_names_the_file_and_the_rule(self):
        self.write("src/rxe/qp.cc", '// x\n#include "net/port.h"\n')
        self.expect_one(house.check_includes(self.root), "src/rxe/qp.cc:2", "net/port.h",
                        "rxe may use base, mm, qos, wire; not net")

    def test_what_the_table_allows_passes_also_through_others(self):
        self.write("src/net/port.cc", '// x\n#include "roce_v2/encode.h"\n#include "base/time.h"\n#include "net/a.h"\n')
        self.write("src/verbs/a.cc", '// x\n#include <infiniband/verbs.h>\n#include "wire/bth.h"\n')
        self.assertEqual(house.check_includes(self.root), [])

    def test_roce_v1_and_v2_do_not_know_each_other(self):
        self.write("src/roce_v2/a.cc", '// x\n#include "roce_v1/icrc.h"\n')
        self.expect_one(house.check_includes(self.root), "src/roce_v2/a.cc:2", "not roce_v1")

    def test_an_include_that_does_not_start_at_the_root_is_refused(self):
        self.write("src/wire/a.cc", '// x\n#include "bth.h"\n')
        self.expect_one(house.check_includes(self.root), "from the root of src")

    def test_a_folder_outside_the_table_is_refused(self):
        self.write("src/misc/a.cc", "// x\n")
        self.expect_one(house.check_includes(self.root), "src/misc", "dependency table")

    def test_dpdk_and_verbs_headers_stay_in_their_rooms(self):
        self.write("src/net/dpdk/a.cc", "// x\n#include <rte_mbuf.h>\n")
        self.write("src/net/a.cc", "// x\n#include <rte_mbuf.h>\n")
        self.expect_one(house.check_includes(self.root), "src/net/a.cc:2", "only in src/net/dpdk")
        self.write("src/net/a.cc", "// x\n#include <infiniband/verbs.h>\n")
        self.expect_one(house.check_includes(self.root), "src/net/a.cc:2", "only in src/verbs")

    def test_threads_sockets_and_clocks_stay_out_of_the_engine(self):
        for header in ("thread", "mutex", "sys/socket.h", "chrono", "unistd.h", "random"):
            self.write("src/rxe/a.cc", f"// x\n#include <{header}>\n")
            self.expect_one(house.check_includes(self.root), "src/rxe/a.cc:2", f"<{header}>")

    def test_the_table_has_no_cycle(self):
        for folder in rules.MAY_USE:
            for used in rules.MAY_USE[folder]:
                self.assertNotIn(folder, house.allowed(used))


class Calls(Tree):
    CANARIES = [
        ("src/base/a.cc", "std::random_device d;", "base::Rng"),
        ("tests/rxe/a.cc", "int x = rand();", "base::Rng"),
        ("src/rxe/a.cc", "usleep(10);", "next_timeout"),
        ("tests/net/a.cc", "std::this_thread::sleep_for(1ms);", "wait for the event"),
        ("src/wire/a.cc", "auto t = std::chrono::steady_clock::now();", "argument"),
        ("src/qos/a.cc", "std::mutex m;", "serialises"),
        ("src/rxe/a.cc", 'printf("x");', "to_string"),
        ("src/verbs/a.cc", "throw 1;", "base::Result"),
        ("src/cli/a.cc", "int n = atoi(s);", "from_chars"),
        ("src/wire/a.cc", "struct __attribute__((packed)) A {};", "byte offsets"),
        ("src/mm/a.cc", "thread_local int x;", "hands in"),
    ]

    def test_each_banned_call_is_caught_and_its_replacement_named(self):
        for path, line, replacement in self.CANARIES:
            self.write(path, f"// x\n{line}\n")
            self.expect_one(house.check_calls(self.root), path + ":2", replacement)
            (self.root / path).unlink()

    def test_comments_strings_and_longer_names_are_no_calls(self):
        self.write("src/rxe/a.cc", '// rand() and sleep()\n/* throw\n usleep(1) */ const char* s = "rand()";\n'
                   "int operand(int); int n = snprintf(b, 1, f); auto w = device.time(); int x = operand(1'000);\n")
        self.assertEqual(house.check_calls(self.root), [])


class Files(Tree):
    def test_promises_sizes_and_machine_paths_are_caught(self):
        self.write("src/base/a.h", "// x\n#pragma once\n// TO" "DO: later\n")
        self.expect_one(house.check_files(self.root), "src/base/a.h:3", "do it now")
        self.write("src/base/a.h", "// x\n#pragma once\n" + "\n" * 500)
        self.expect_one(house.check_files(self.root), "src/base/a.h", "lines")
        self.write("src/base/a.h", '// x\n#pragma once\nconst char* p = "/ho' 'me/me/x";\n')
        self.expect_one(house.check_files(self.root), "src/base/a.h:3", "one machine")

    def test_headers_are_guarded_and_files_open_with_a_comment(self):
        self.write("src/base/a.h", "// x\n")
        self.expect_one(house.check_files(self.root), "#pragma once")
        self.write("src/base/a.h", "#pragma once\n")
        self.expect_one(house.check_files(self.root), "opens with a comment")

    def test_a_folder_without_readme_is_named(self):
        self.write("src/base/a.h", "// x\n")
        self.expect_one(house.check_readmes(self.root), "src/base/")

    def test_a_package_without_reason_and_a_reason_without_package_are_named(self):
        self.write("tools/packages.txt", "[build] # x\nmeson # y\none | two\n")
        self.write("docs/dependencies.md", "| package | for |\n| --- | --- |\n| `meson` | x |\n| `one`, `three` | x |\n")
        bad = house.check_packages(self.root)
        self.assertEqual(len(bad), 2, bad)
        self.assertIn("two", bad[0])
        self.assertIn("three", bad[1])


if __name__ == "__main__":
    sys.exit(unittest.main())
