"""The comparison with expected.txt must be able to fail, and the list must be well formed. Needs no rocelab."""
import os
import tempfile
import unittest

import expected

HERE = os.path.dirname(os.path.abspath(__file__))
WANTED = {"a": ("pass", ""), "b": ("skip", "no such thing"), "c": ("pass or skip", "no huge pages"), "d": ("fail", "Errno 9")}
SAME = {"a": ("pass", ""), "b": ("skip", "no such thing"), "c": ("skip", "no huge pages"), "d": ("fail", "...\nOSError: Errno 9\n")}


class Comparison(unittest.TestCase):
    def differences(self, **changes):
        results = dict(SAME, **changes)
        return expected.differences(WANTED, {k: v for k, v in results.items() if v})

    def test_what_is_as_expected_is_no_difference(self):
        self.assertEqual(self.differences(), [])
        self.assertEqual(self.differences(c=("pass", "")), [])

    def test_every_other_outcome_is_one(self):
        for change in ({"a": ("fail", "x")}, {"a": ("skip", "x")}, {"b": ("pass", "")}, {"b": ("skip", "another reason")},
                       {"b": ("fail", "no such thing")}, {"c": ("fail", "x")}, {"c": ("skip", "x")}, {"d": ("pass", "")},
                       {"d": ("fail", "Errno 12")}):
            self.assertEqual(len(self.differences(**change)), 1, change)

    def test_a_test_that_is_gone_or_new_is_one(self):
        self.assertEqual(len(self.differences(a=None)), 1)
        self.assertEqual(len(self.differences(z=("pass", ""))), 1)


class List(unittest.TestCase):
    def test_ours_can_be_read(self):
        self.assertGreater(len(expected.read(os.path.join(HERE, "expected.txt"))), 100)

    def test_a_line_without_outcome_or_reason_is_refused(self):
        for line in ("a", "a | perhaps", "a | skip", "a | pass\na | pass"):
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
                file.write(line)
                file.flush()
                self.assertRaises(ValueError, expected.read, file.name)

    def test_what_is_written_is_read_again(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            expected.write(file.name, WANTED, SAME)
            again = expected.read(file.name)
        self.assertEqual(again["c"], WANTED["c"])
        self.assertEqual(expected.differences(again, SAME), [])


if __name__ == "__main__":
    unittest.main()
