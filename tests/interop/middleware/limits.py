"""Limits on a device's objects: limits.py ROCELAB PROGRAM (limits.c). Each kind is refused with the kernel's errno as soon
as there are as many as allowed, over all processes of the host, also those that were killed; and `rocelab run` and the
library refuse a run directory that is not the user's own."""
import os
import re
import shutil
import signal
import subprocess
import sys

from machine import main

import sides

PROGRAM = os.path.abspath(sys.argv[2])
# Limits, kind, how many there may be, errno. `objects` counts a PD and a CQ that a QP needs.
CASES = [("qp=7", "qp", 7, "ENOMEM"), ("cq=5", "cq", 5, "ENOMEM"), ("mr=9", "mr", 9, "ENOMEM"), ("mw=3", "mw", 3, "ENOMEM"),
         ("pd=4", "pd", 4, "ENOMEM"), ("srq=2", "srq", 2, "ENOMEM"), ("ah=6", "ah", 6, "ENOMEM"),
         ("memory=8M", "memory", 8, "ENOMEM"), ("memory=36864", "mr", 9, "ENOMEM"), ("objects=12", "qp", 10, "EAGAIN"),
         ("objects=12,qp=3", "qp", 3, "ENOMEM")]


def start(machine, limits, *arguments):
    command = [*machine.drop, machine.rocelab, "run", "--limits", limits, "--", PROGRAM, *arguments]
    print("$", " ".join(command[len(machine.drop):]), flush=True)
    process = subprocess.Popen(command, env=machine.environment, cwd=machine.folder, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    machine.running.append(process)
    return process


def result(process):
    """(how many, errno) as the program says it, once it has ended."""
    output, _ = process.communicate(timeout=sides.TIMEOUT_S)
    print(output.rstrip(), flush=True)
    found = re.search(r"^(\d+) \w+, then (\w+)", output)
    if process.returncode != 0 or not found:
        raise sides.Failure(f"the program ended with status {process.returncode}")
    return int(found[1]), found[2]


def kinds(machine):
    wrong = []
    for limits, kind, count, error in CASES:
        got = result(start(machine, limits, kind))
        if got != (count, error):
            wrong.append(f"--limits {limits}: expected {count} of {kind}, then {error}; got {got}")
    return wrong


def processes(machine):
    """Ten QPs for two processes together; the second gets the rest, and all once the first has been killed."""
    wrong = []
    holder = start(machine, "qp=6", "qp", "hold")
    if not holder.stdout.readline().startswith("6 qp, then ENOMEM"):
        wrong.append("the first process did not get its 6 QPs")
    others = result(start(machine, "qp=10", "qp"))
    if others != (4, "ENOMEM"):
        wrong.append(f"beside 6 QPs of another process, expected 4 and ENOMEM, got {others}")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    alone = result(start(machine, "qp=10", "qp"))
    if alone != (10, "ENOMEM"):
        wrong.append(f"after the other was killed, expected 10 and ENOMEM, got {alone}")
    return wrong


def refused(machine, folder, expected):
    """What `rocelab run` says of a run directory; the library itself is asked without it."""
    environment = dict(machine.environment, ROCELAB_RUN_DIR=folder)
    by_run = subprocess.run([*machine.drop, machine.rocelab, "run", "--", PROGRAM], env=environment, capture_output=True,
                            text=True, check=False)
    library = os.path.join(os.path.dirname(machine.rocelab), "lib")
    by_library = subprocess.run([*machine.drop, PROGRAM], env=dict(environment, LD_LIBRARY_PATH=library),
                                capture_output=True, text=True, check=False)
    return [f"{who}: `{folder}` was not refused with `{expected}`: {run.stdout}{run.stderr}"
            for who, run in (("rocelab run", by_run), ("the library", by_library))
            if run.returncode == 0 or expected not in run.stderr]


def directories(machine):
    """A run directory is the user's own, or it is refused; a user's processes can't reach another's devices."""
    wrong = []
    open_one = os.path.join(machine.folder, "open")
    os.mkdir(open_one)
    os.chmod(open_one, 0o755)
    if machine.drop and f"--reuid={sides.NOBODY}" in machine.drop:
        os.chown(open_one, sides.NOBODY, sides.NOBODY)
    wrong += refused(machine, open_one, "lets others in")
    os.symlink(machine.folder, os.path.join(machine.folder, "link"))
    wrong += refused(machine, os.path.join(machine.folder, "link"), "symbolic link")
    made = os.path.join(machine.folder, "made")
    result(subprocess.Popen([*machine.drop, machine.rocelab, "run", "--run-dir", made, "--", PROGRAM],
                            env=machine.environment, stdout=subprocess.PIPE, text=True))
    if os.stat(made).st_mode & 0o7777 != 0o700:
        wrong.append(f"the run directory was made with mode {os.stat(made).st_mode & 0o7777:04o}")
    loose = [name for name in os.listdir(made)
             if not os.path.islink(os.path.join(made, name)) and os.stat(os.path.join(made, name)).st_mode & 0o022]
    if loose:
        wrong.append(f"others may write {loose}, if somebody opens the folder")
    if not machine.drop or f"--reuid={sides.NOBODY}" not in machine.drop:
        print("not tried: another user's run directory (we cannot become two users)")
        return wrong

    another = sides.NOBODY - 1
    root_of_run = machine.drop
    theirs = os.path.join(machine.folder, "theirs")
    os.mkdir(theirs, 0o700)
    os.chown(theirs, another, another)
    os.chmod(machine.folder, 0o711)  # both may pass, neither may list
    wrong += refused(machine, theirs, "")
    machine.drop = [word.replace(str(sides.NOBODY), str(another)) for word in root_of_run]
    wrong += refused(machine, made, "")
    for command in (["ls", made], ["cat", os.path.join(made, "host-page")]):
        if subprocess.run([*machine.drop, *command], capture_output=True, check=False).returncode == 0:
            wrong.append(f"user {another} can do `{' '.join(command)}`")
    machine.drop = root_of_run
    return wrong


if __name__ == "__main__":
    if shutil.which("setpriv") is None and os.getuid() == 0:
        print("SKIP: setpriv is not installed (package util-linux)")
        sys.exit(77)
    main(lambda machine: kinds(machine) + processes(machine) + directories(machine))
