"""Installs rocelab into a folder of the test's own, builds the examples against it by pkg-config, and runs them:
examples.py SOURCE_ROOT BUILD_ROOT. Also checks that what is installed is complete and works where it lies."""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import sides

SKIPPED = 77


def run(command, quiet=False, **more):
    print("$", " ".join(map(str, command)), flush=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=sides.TIMEOUT_S, **more)
    if not quiet or done.returncode != 0:
        print(done.stdout.rstrip(), flush=True)
    if done.returncode != 0:
        raise sides.Failure(f"`{command[0]}` ended with status {done.returncode}")
    return done.stdout


def must(condition, what):
    if not condition:
        raise sides.Failure(what)


def only(folder, pattern):
    found = sorted(folder.rglob(pattern))
    must(len(found) == 1, f"expected one {pattern} in the installed tree, found {[str(f) for f in found]}")
    return found[0]


def main():
    source, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    for tool in ("pkg-config", "cc", "c++", "meson"):
        if not shutil.which(tool):
            print(f"SKIP: {tool} is not installed")
            sys.exit(SKIPPED)
    if not pathlib.Path("/usr/include/infiniband/verbs.h").exists():
        print("SKIP: libibverbs-dev is not installed")
        sys.exit(SKIPPED)

    root = build / "tests/interop/installed"
    shutil.rmtree(root, ignore_errors=True)
    run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--destdir", str(root)])
    command = only(root, "bin/rocelab")
    prefix = command.parent.parent
    library, shim = only(root, "libibverbs.so.1"), only(root, "librocelab-preload.so")
    must(library.parent == shim.parent and library.parent.name == "rocelab", "the libraries have no folder of their own")
    for page in ("rocelab.1", "rocelab-run.1", "rocelab-dev.1", "rocelab-pcap.1"):
        only(root, page)

    # pkg-config, as if the tree had been installed where it lies.
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
    environment["PKG_CONFIG_PATH"] = str(only(root, "rocelab.pc").parent)
    flags = run(["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", "rocelab"], env=environment)
    for example, compiler in (("rc_pingpong.c", ["cc", "-Wall", "-Wextra", "-Werror"]),
                              ("remote_counter.cc", ["c++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-pthread"])):
        program = root / pathlib.Path(example).stem
        run([*compiler, str(source / "examples" / example), "-o", str(program), *shlex.split(flags)], env=environment)
        plain = root / (program.name + "_plain")
        run([*compiler, str(source / "examples" / example), "-o", str(plain), "-libverbs"], env=environment)

    with sides.Machine(str(command)) as machine:
        print("both sides run", machine.user)
        # Linked by pkg-config they find the library by themselves; linked as any verbs program, under `rocelab run`.
        for direct, suffix in ((True, ""), (False, "_plain")):
            counter = machine.run_alone(str(root / f"remote_counter{suffix}"), ["4", "200"], direct=direct)
            must("4 threads counted to 800" in counter and "worker 3 was here" in counter, "the counter's output is wrong")
            for output in machine.run_pair(str(root / f"rc_pingpong{suffix}"), ["-n", "200"], direct=direct):
                must("200 messages of 1024 bytes went there and back" in output, "the ping-pong's output is wrong")
        # What went over the wire in between is recorded and good.
        machine.environment["ROCELAB_PCAP"] = os.path.join(machine.folder, "%p.pcapng")
        machine.run_alone(str(root / "remote_counter"), ["2", "50"], direct=True)
        for output in machine.run_pair(str(root / "rc_pingpong"), ["-n", "20"], direct=True):
            must("20 messages" in output, "the ping-pong's output is wrong")
        captures = [str(f) for f in pathlib.Path(machine.folder).glob("*.pcapng")]
        must(len(captures) == 3, f"expected three captures, found {captures}")
        packets = run([str(command), "pcap", *captures], quiet=True)
        for word in ("FETCH_ADD", "RDMA_WRITE_ONLY", "SEND_ONLY"):
            must(word in packets.upper().replace(" ", "_"), f"no {word} in the captures")
        del machine.environment["ROCELAB_PCAP"]
        listing = machine.run_alone("ibv_devices", []) if not sides.missing_program("ibv_devices") else "rocelab0"
        must("rocelab0" in listing, "the installed command shows no device")


if __name__ == "__main__":
    try:
        main()
    except (sides.Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"FAILED: {failure}")
