"""The tree that stands for sysfs, read by absolute paths as programs do: tree.py ROCELAB MODE. `agrees`: it says the same as
verbs (ibv_devinfo -v) and is whole. `alone`: on a machine that lists a real device of another name, in sysfs and
/dev/infiniband, programs see ours only."""
import json
import os
import re
import subprocess
import sys

from machine import main, skip_unless

import sides

# Runs inside `rocelab run`: everything below /sys/class/infiniband, links followed, as one JSON object.
WALK = """
import json, os
found = {}
for top in ("/sys/class/infiniband", "/sys/class/infiniband_verbs", "/sys/class/infiniband_mad", "/dev/infiniband"):
    for folder, folders, files in os.walk(top, followlinks=True):
        for name in files:
            path = os.path.join(folder, name)
            found[path] = open(path).read().rstrip("\\n") if path.startswith("/sys/") else ""
        if folder.count("/") > 9: folders.clear()
print(json.dumps(found))
"""
NODE = ("node_type", "node_guid", "sys_image_guid", "node_desc", "fw_ver", "hca_type", "board_id", "hw_rev")
PORT = ("state", "phys_state", "rate", "link_layer", "lid", "lid_mask_count", "sm_lid", "sm_sl", "cap_mask", "pkeys/0",
        "gids/0", "gid_attrs/types/1", "counters/port_xmit_data", "counters/port_rcv_packets", "hw_counters/sent_pkts")
CLASS = "/sys/class/infiniband"


def plain(hexadecimal):
    return hexadecimal.replace(":", "")


def expanded(gid):
    """As sysfs writes it, from what ibv_devinfo writes."""
    if gid.startswith("::ffff:") and "." in gid:
        numbers = [int(part) for part in gid[7:].split(".")]
        return "0000:0000:0000:0000:0000:ffff:{:02x}{:02x}:{:02x}{:02x}".format(*numbers)
    head, _, tail = gid.partition("::")
    left, right = [part for part in head.split(":") if part], [part for part in tail.split(":") if part]
    if "::" in gid:
        left += ["0"] * (8 - len(left) - len(right)) + right
    return ":".join(f"{int(part, 16):04x}" for part in left)


def compare(tree, name, text, devices):
    """One device's section of ibv_devinfo against the tree."""
    wrong = []
    node, port = f"{CLASS}/{name}", f"{CLASS}/{name}/ports/1"
    wrong += [f"there is no {path}" for path in [f"{node}/{leaf}" for leaf in NODE] + [f"{port}/{leaf}" for leaf in PORT]
              if path not in tree]
    if wrong:
        return wrong

    def verbs(key):
        found = re.search(rf"^\s*{key}:\s+(\S+)", text, re.MULTILINE)
        return found[1] if found else None

    pairs = [("node_guid", plain(verbs("node_guid")), plain(tree[node + "/node_guid"])),
             ("sys_image_guid", plain(verbs("sys_image_guid")), plain(tree[node + "/sys_image_guid"])),
             ("fw_ver", verbs("fw_ver"), tree[node + "/fw_ver"]), ("board_id", verbs("board_id"), tree[node + "/board_id"]),
             ("hw_ver", int(verbs("hw_ver"), 0), int(tree[node + "/hw_rev"], 0)),
             ("state", verbs("state").replace("PORT_", ""), tree[port + "/state"].split()[1]),
             ("link_layer", verbs("link_layer"), tree[port + "/link_layer"]),
             ("port_lid", int(verbs("port_lid")), int(tree[port + "/lid"], 0)),
             ("sm_lid", int(verbs("sm_lid")), int(tree[port + "/sm_lid"], 0)),
             ("port_lmc", int(verbs("port_lmc"), 0), int(tree[port + "/lid_mask_count"], 0)),
             ("port_cap_flags", int(verbs("port_cap_flags"), 0), int(tree[port + "/cap_mask"], 0)),
             ("ports", verbs("phys_port_cnt"), str(len({path.split("/")[6] for path in tree
                                                        if path.startswith(node + "/ports/")})))]
    gids = {int(index): (expanded(gid), kind) for index, gid, kind in
            re.findall(r"GID\[\s*(\d+)\]:\s+(\S+?)(?:, (\S.*))?$", text, re.MULTILINE)}
    listed = {int(path.rsplit("/", 1)[1]): value for path, value in tree.items()
              if path.startswith(port + "/gids/") and value.strip("0:")}
    pairs.append(("GIDs", {i: gid for i, (gid, _) in gids.items()}, listed))
    for i, (_, kind) in gids.items():
        pairs.append((f"type of GID {i}", kind.replace("RoCE v1", "IB/RoCE v1"), tree.get(f"{port}/gid_attrs/types/{i}")))
    number = f"uverbs{devices.index(name)}"
    pairs.append((f"{number}/ibdev", name, tree.get(f"/sys/class/infiniband_verbs/{number}/ibdev")))
    pairs.append((f"/dev/infiniband/{number}", "", tree.get(f"/dev/infiniband/{number}")))
    wrong += [f"{name}: {what}: verbs say {said}, the tree says {written}" for what, said, written in pairs
              if said != written]
    return wrong


def agrees(machine):
    machine.environment["ROCELAB_DEVICES"] = "2"
    tree = json.loads(machine.run_alone("python3", ["-c", WALK]))
    output = machine.run_alone("ibv_devinfo", ["-v"])
    sections = re.split(r"^hca_id:\s+", output, flags=re.MULTILINE)[1:]
    devices = [section.split()[0] for section in sections]
    in_tree = sorted({path.split("/")[4] for path in tree if path.startswith(CLASS + "/")})
    wrong = [] if devices == in_tree == ["rocelab0", "rocelab1"] else [f"verbs list {devices}, the tree {in_tree}"]
    for name, section in zip(devices, sections):
        wrong += compare(tree, name, section, devices)
    return wrong


# Other folders than the kernel's over /sys/class and /dev/infiniband, for this process and its children only: what
# a machine with an inert device shows. Then the programs, without and with us.
PRETEND = """
set -e
mount --make-rprivate /
mount -t tmpfs none /sys/class
mkdir -p /sys/class/infiniband/mlx5_0/ports/1 /sys/class/infiniband_verbs/uverbs0 /sys/class/infiniband_mad/umad0
echo '4: ACTIVE' > /sys/class/infiniband/mlx5_0/ports/1/state
echo mlx5_0 > /sys/class/infiniband_verbs/uverbs0/ibdev
echo 6 > /sys/class/infiniband_verbs/abi_version
mount -t tmpfs none /dev/shm
mkdir -p /dev/infiniband
mount -t tmpfs none /dev/infiniband
: > /dev/infiniband/uverbs0
: > /dev/infiniband/uverbs7
export ROCELAB_RUN_DIR=$1
shift
echo "without: $(ls /sys/class/infiniband)"
for program in "ls /sys/class/infiniband" "ls /sys/class/infiniband_verbs" "ls /dev/infiniband" \\
               "cat /sys/class/infiniband/mlx5_0/ports/1/state" "ibv_devices"; do
  echo "with: $program: $("$1" run -- $program 2>&1 | tr -s '\\t\\n -' ' ')"
done
"""


def alone(machine):
    can = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if os.getuid() != 0 or can.returncode != 0:
        print("SKIP: no right to make a mount namespace: " + can.stderr.decode().strip())
        sys.exit(77)
    run_directory = os.path.join(machine.folder, "alone")
    made = os.path.isdir("/dev/infiniband")
    done = subprocess.run(["unshare", "-m", "bash", "-c", PRETEND, "bash", run_directory, machine.rocelab],
                          env={k: v for k, v in machine.environment.items() if k != "ROCELAB_RUN_DIR"}, capture_output=True,
                          text=True, check=False)
    if not made and os.path.isdir("/dev/infiniband"):
        os.rmdir("/dev/infiniband")
    print(done.stdout, done.stderr)
    if done.returncode != 0:
        raise sides.Failure("the namespace could not be set up")
    lines = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    wrong = [] if lines.get("without") == "mlx5_0" else ["the stand-in for a real device is not there"]
    for program, expected in (("ls /sys/class/infiniband", "rocelab0"), ("ls /dev/infiniband", "uverbs0"),
                              ("ls /sys/class/infiniband_verbs", "abi_version uverbs0")):
        shown = lines.get(f"with: {program}", "").replace("rdma_cm", "").split()
        if shown != expected.split():
            wrong.append(f"`{program}` shows {shown}, expected {expected}")
    if "No such file" not in done.stdout:
        wrong.append("the real device's state can still be read")
    if "mlx5_0" in lines.get("with: ibv_devices", "mlx5_0") or "rocelab0" not in lines["with: ibv_devices"]:
        wrong.append("ibv_devices shows something else than rocelab0")
    return wrong


if __name__ == "__main__":
    skip_unless(("ibv_devinfo", "ibverbs-utils"), ("unshare", "util-linux"))
    main(agrees if sys.argv[2] == "agrees" else alone)
