"""The distribution's ibv_devices and ibv_devinfo with nothing but LD_LIBRARY_PATH: programs.py OUR_FOLDER RUN_DIR."""
import os
import shutil
import subprocess
import sys


def run(folder, run_dir, *command):
    environment = dict(os.environ, LD_LIBRARY_PATH=folder, ROCELAB_RUN_DIR=run_dir)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    print("$", *command, "\n" + done.stdout + done.stderr)
    return done.returncode, done.stdout + done.stderr


def main():
    folder, run_dir = os.path.realpath(sys.argv[1]), sys.argv[2]
    if shutil.which("ibv_devinfo") is None:
        print("SKIP: ibv_devinfo is not installed")
        sys.exit(77)
    failed = []
    expectations = {
        ("ibv_devices",): ["rocelab0"],
        ("ibv_devinfo", "-l"): ["1 HCA found", "rocelab0"],
        ("ibv_devinfo", "-v"): ["hca_id:\trocelab0", "InfiniBand (0)", "PORT_ACTIVE (4)", "4096 (5)", "Ethernet",
                                "ATOMIC_HCA (1)", "RoCE v2", "phys_port_cnt:\t\t\t1", "LINK_UP (5)"],
        ("ibv_devinfo", "-d", "rocelab0", "-i", "1"): ["port:\t1"],
    }
    for command, texts in expectations.items():
        status, output = run(folder, run_dir, *command)
        failed += [f"{command}: exit status {status}"] if status != 0 else []
        failed += [f"{command}: no {text!r}" for text in texts if text not in output]
    status, output = run(folder, run_dir, "env", "ROCELAB_MTU=300", "ibv_devices")
    failed += [] if status != 0 else ["a bad value is no error"]
    failed += [] if "ROCELAB_MTU" in output and "300" in output and "4096" in output else ["the message lacks its facts"]
    print("\n".join(failed))
    sys.exit(1 if failed else 0)


main()
