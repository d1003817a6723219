"""What is done to the network inside the guest: faults on the way between it and us, and a second way, over VLANs, to a
namespace of its own in which rocelab runs (this machine's kernel may have neither netem nor VLANs; Debian's has both).
Used by run.py."""
import pairs

ROCE_PORT = 4791
MTU = pairs.MTU

# Title, what netem does to each direction's RoCE packets, the groups of cases.txt.
FAULTS = [
    ("1% loss", "loss 1%", ["faults"]),
    ("5% loss", "loss 5%", ["faults", "worst faults"]),
    ("reordering", "delay 3ms reorder 70% 30%", ["faults"]),
    ("duplication", "duplicate 10%", ["faults"]),
    ("loss, reordering and duplication", "delay 2ms reorder 80% loss 2% duplicate 5%",
     ["faults", "worst faults"]),
]


def set_up_faults(guest):
    """RoCE packets alone take a way of their own, in both directions: programs also talk over TCP."""
    match = f"flower ip_proto udp dst_port {ROCE_PORT}"
    lines = ["modprobe -a sch_netem sch_prio sch_ingress cls_flower act_mirred ifb", "ip link add faults type ifb",
             "ip link set faults mtu 9000 up", "tc qdisc add dev eth0 root handle 1: prio bands 4 priomap" + " 0" * 16,
             "tc qdisc add dev eth0 ingress"]
    for protocol in ("ip", "ipv6"):
        lines += [f"tc filter add dev eth0 parent 1: protocol {protocol} {match} classid 1:4",
                  f"tc filter add dev eth0 ingress protocol {protocol} {match} action mirred egress redirect dev faults"]
    guest.shell("\n".join(lines))


def set_fault(guest, how):
    guest.shell(f"tc qdisc replace dev eth0 parent 1:4 handle 40: netem limit 10000 {how}\n"
                f"tc qdisc replace dev faults root handle 50: netem limit 10000 {how}")


def fault_counts(guest):
    return guest.shell(r"tc -s qdisc show | grep -A 1 netem | sed 'N;s/\n/ /'")


def clear_faults(guest):
    guest.shell("tc qdisc del dev eth0 root; tc qdisc del dev eth0 ingress; ip link del faults")


def set_up_vlan(guest, rocelab):
    """rxe1 on one end of a veth pair, rocelab in the namespace of the other; VLAN 5 above both. The two ends."""
    guest.shell(f"""
        modprobe -a veth 8021q
        ip netns add far
        ip link add near type veth peer name far netns far
        for where in near far; do
          if [ $where = near ]; then n=1 in=""; else n=2 in="-n far"; fi
          ip $in link set lo up
          ip $in link set $where mtu {MTU} up
          ip $in addr add 10.79.0.$n/24 dev $where
          ip $in addr add fd79::$n/64 dev $where nodad
          ip $in link add link $where name $where.5 type vlan id 5
          ip $in link set $where.5 up
          ip $in addr add 10.79.5.$n/24 dev $where.5
          ip $in addr add fd79:5::$n/64 dev $where.5 nodad
        done
        rdma link add rxe1 type rxe netdev near
    """)
    wanted = {"{v4}": "10.79.5.", "{v6}": "fd79:5::"}
    near = pairs.Rxe(guest, "rxe1", "10.79.0.1", find_gids(guest.run("ibv_devinfo", "-v", "-d", "rxe1"), wanted))
    far = pairs.RocelabInGuest(guest, rocelab, "far", "far", "10.79.0.2")
    far.gids = find_gids(far.must("ibv_devinfo", "-v"), wanted)
    return near, far


def find_gids(devinfo, wanted):
    """Placeholder -> index of the RoCE v2 GID whose text contains what is wanted."""
    found = {}
    for line in devinfo.splitlines():
        words = line.replace("[", " ").replace("]:", " ").split()
        if words[:1] == ["GID"] and line.endswith("RoCE v2"):
            found.update({key: words[1] for key, text in wanted.items() if text in words[2]})
    return found
