"""Runs rdma-core's Python tests one by one and writes what came of each as a line of JSON: collect.py TESTS RESULTS
[FIRST]. Started by suite.py under `rocelab run`; FIRST is the position to go on from when an earlier process died.

A line {"at": N, "id": ...} is written before a test and {"id": ..., "outcome": ..., "why": ...} after it, so that the one
that killed the process is known. A test that hangs ends the process with all threads' stacks.
"""
import faulthandler
import importlib.machinery
import importlib.util
import json
import os
import sys
import traceback
import unittest

HANGS_AFTER_S = 240


def load(folder):
    """The package `tests`, as rdma-core's own run_tests.py makes it from the folder."""
    sys.path.insert(0, folder)
    sys.argv = ["run_tests.py"]
    from args_parser import parser  # the tests' own, in their folder
    parser.parse_args()
    loader = importlib.machinery.SourceFileLoader("tests", os.path.join(folder, "__init__.py"))
    spec = importlib.util.spec_from_loader("tests", loader, is_package=True)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tests"] = module
    loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


class Recorder(unittest.TestResult):
    def __init__(self, write):
        super().__init__()
        self.write = write
        self.outcome = None

    def note(self, outcome, why=""):
        # A failing tearDown after a failed test must not hide the test's own failure.
        if self.outcome is None or self.outcome[0] in ("pass", "skip"):
            self.outcome = (outcome, why)

    def addSuccess(self, test):
        self.note("pass")

    def addSkip(self, test, reason):
        self.note("skip", " ".join(reason.split()))

    def addFailure(self, test, err):
        self.note("fail", "".join(traceback.format_exception(*err)))

    def addError(self, test, err):
        self.note("fail", "".join(traceback.format_exception(*err)))


def main():
    folder, results, first = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0
    out = open(results, "a", encoding="utf-8", buffering=1)  # open for as long as the process lives

    def write(line):
        out.write(json.dumps(line) + "\n")

    faulthandler.enable()
    tests = list(flatten(load(folder)))
    for at, test in enumerate(tests):
        if at < first:
            continue
        name = test.id().removeprefix("tests.")
        write({"at": at, "id": name})
        recorder = Recorder(write)
        faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
        mine = os.getpid()
        test.run(recorder)
        if os.getpid() != mine:  # a child that a test forked and that came back here
            os._exit(1)
        faulthandler.cancel_dump_traceback_later()
        outcome, why = recorder.outcome or ("fail", "the test said nothing")
        write({"id": name, "outcome": outcome, "why": why})
    write({"end": len(tests)})
    sys.stdout.flush()


main()
