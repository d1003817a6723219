"""The drivers of the programs must be able to fail: canned outputs that are wrong in one way each, and sides that hang,
fail or never listen. Needs no rocelab."""
import os
import stat
import sys
import tempfile
import unittest

import expect
import sides

TABLE = """ #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]
{rows}
"""
LATENCY = " #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    t_stdev[usec]\n"


def bandwidth(sizes, iterations=20):
    return TABLE.format(rows="\n".join(f" {size}  {iterations}   9.00   8.00   0.001" for size in sizes))


ALL = [1 << i for i in range(1, 24)]


class Expectations(unittest.TestCase):
    def problems(self, program, arguments, client, server=""):
        return expect.problems(program, arguments.split(), [server, client])

    def test_a_whole_table_is_good(self):
        self.assertEqual(self.problems("ib_write_bw", "-F -a -n 20", bandwidth(ALL)), [])
        self.assertEqual(self.problems("ib_send_bw", "-F -c UD -a -n 20", bandwidth(ALL[:12])), [])
        self.assertEqual(self.problems("ib_read_lat", "-n 5 -s 8", LATENCY + " 8  5  1.0  9.0  2.0  3.0  -nan  9.0  9.0"), [])

    def test_a_missing_row_a_row_too_many_and_another_count_are_wrong(self):
        self.assertIn("no row for size 8388608", self.problems("ib_write_bw", "-a -n 20", bandwidth(ALL[:-1])))
        self.assertEqual(len(self.problems("ib_write_bw", "-n 20 -s 64", bandwidth([64, 128]))), 1)
        self.assertEqual(len(self.problems("ib_write_bw", "-n 30 -s 64", bandwidth([64]))), 1)
        self.assertEqual(len(self.problems("ib_write_bw", "-n 20 -s 64", "nothing")), 1)

    def test_numbers_without_meaning_are_wrong(self):
        self.assertEqual(len(self.problems("ib_send_lat", "-n 5 -s 8", LATENCY + " 8  5  nan  9.0  2.0  3.0  1.0  9.0  9.0")), 1)
        self.assertEqual(len(self.problems("ib_write_bw", "-n 5 -s 8", TABLE.format(rows=" 8  5  0.00  0.00  0.000"))), 1)

    def test_both_sides_of_a_bidirectional_test_need_the_table(self):
        table = bandwidth([64])
        self.assertEqual(self.problems("ib_write_bw", "-b -n 20 -s 64", table, table), [])
        self.assertNotEqual(self.problems("ib_write_bw", "-b -n 20 -s 64", table), [])

    def test_complaints_are_found_on_either_side(self):
        table = bandwidth([64])
        for line in ("Completion with error at client", " Failed to complete run_iter_bw function", "Couldn't allocate MR",
                     "rocelab[12]: warning: something"):
            self.assertNotEqual(self.problems("ib_write_bw", "-n 20 -s 64", table + line), [], line)
            self.assertNotEqual(self.problems("ib_write_bw", "-n 20 -s 64", table, line), [], line)

    def test_inline_must_be_used_not_only_asked_for(self):
        table = bandwidth([64])
        self.assertEqual(self.problems("ib_write_bw", "-I 64 -n 20 -s 64", " Max inline data : 64[B]\n" + table), [])
        self.assertNotEqual(self.problems("ib_write_bw", "-I 64 -n 20 -s 64", " Max inline data : 0[B]\n" + table), [])

    def test_a_pingpong_that_found_bad_data_or_did_not_end_is_wrong(self):
        good = ("  local address:  LID 0x0000\n  remote address: LID 0x0000\n8192 bytes in 0.01 seconds = 1 Mbit/sec\n"
                "1000 iters in 0.01 seconds = 5 usec/iter\n")
        self.assertEqual(self.problems("ibv_rc_pingpong", "-c", good, good), [])
        self.assertNotEqual(self.problems("ibv_rc_pingpong", "-c", good, good + "invalid data in page 1\n"), [])
        self.assertNotEqual(self.problems("ibv_rc_pingpong", "-c", good, "  local address:  LID 0x0000\n"), [])


class Sides(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rocelab-selftest-")
        self.addCleanup(self.folder.cleanup)
        os.chmod(self.folder.name, 0o755)
        # Stands for `rocelab run -- PROGRAM ARGS`: runs the program as it is.
        self.runner = os.path.join(self.folder.name, "runner")
        with open(self.runner, "w", encoding="ascii") as file:
            file.write('#!/bin/sh\n[ "$1" = --version ] && exit 0\nshift 2\nexec "$@"\n')
        os.chmod(self.runner, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)

    def test_what_a_program_says_is_handed_back(self):
        with sides.Machine(self.runner) as machine:
            self.assertEqual(machine.run_alone("sh", ["-c", "echo hello; echo there >&2"]), "hello\nthere\n")

    def test_a_program_that_fails_is_a_failure(self):
        with sides.Machine(self.runner) as machine:
            with self.assertRaisesRegex(sides.Failure, "status 3"):
                machine.run_alone("sh", ["-c", "exit 3"])

    def test_a_server_that_ends_before_it_listens_is_a_failure(self):
        with sides.Machine(self.runner) as machine:
            with self.assertRaisesRegex(sides.Failure, "status 4|did not listen"):
                machine.run_pair("sh", ["-c", "exit 4"])

    def test_a_program_that_hangs_is_ended_and_is_a_failure(self):
        limit, sides.TIMEOUT_S = sides.TIMEOUT_S, 0
        try:
            with sides.Machine(self.runner) as machine:
                with self.assertRaisesRegex(sides.Failure, "hung"):
                    machine.run_alone("tail", ["-f", "/dev/null"])
        finally:
            sides.TIMEOUT_S = limit

    def test_root_gives_up_its_capabilities(self):
        with sides.Machine(self.runner) as machine:
            status = machine.run_alone("cat", ["/proc/self/status"])
        if os.getuid() == 0:
            for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
                self.assertIn(line, status)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
