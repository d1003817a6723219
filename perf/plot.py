"""Draws perf/compare's CSV: latency one way and bandwidth over the size of a message, rocelab beside UCX.

usage: plot.py compare.csv compare.png    (needs matplotlib; called by perf/compare)
"""
import csv
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)

# Pattern of the row's key, label, colour, marker; the size is the pattern's group.
SERIES = {
    "latency": [
        (r"sizes_write_(\d+)B_latency", "rocelab RC WRITE", "tab:red", "o"),
        (r"sizes_send_(\d+)B_latency", "rocelab RC SEND", "tab:orange", "s"),
        (r"ucx_shm_(\d+)_latency", "UCX put, shared memory", "tab:blue", "^"),
        (r"ucx_tcp_(\d+)_latency", "UCX put, TCP", "tab:gray", "v"),
    ],
    "bandwidth": [
        (r"sizes_write_(\d+)B_bandwidth", "rocelab RC WRITE", "tab:red", "o"),
        (r"ucx_shm_(\d+)_bandwidth", "UCX put, shared memory", "tab:blue", "^"),
        (r"ucx_tcp_(\d+)_bandwidth", "UCX put, TCP", "tab:gray", "v"),
    ],
}
LIMITS = {
    "latency": ("mailbox_64B_latency", "limit: mailbox"),
    "bandwidth": ("pipeline_4KiB_copy_crc_bandwidth", "limit: copy + CRC on both sides"),
}


def points(rows, pattern):
    found = []
    for row in rows:
        match = re.fullmatch(pattern, row["key"])
        if match:
            found.append((int(match[1]), float(row["median"]), float(row["min"]), float(row["max"])))
    return sorted(found)


def draw(axes, rows, kind, unit):
    for pattern, label, colour, marker in SERIES[kind]:
        data = points(rows, pattern)
        if data:
            sizes, middles, lows, highs = zip(*data)
            axes.plot(sizes, middles, color=colour, marker=marker, label=label)
            axes.fill_between(sizes, lows, highs, color=colour, alpha=0.15)
    key, label = LIMITS[kind]
    limit = [float(row["median"]) for row in rows if row["key"] == key]
    if limit:
        axes.axhline(limit[0], color="black", linestyle=":", label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("message, bytes")
    axes.set_ylabel(unit)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(fontsize=8)


def main():
    source, target = sys.argv[1:3]
    with open(source, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5))
    draw(left, rows, "latency", "latency one way, us")
    draw(right, rows, "bandwidth", "GB/s")
    left.set_title("Two polling processes on two processors")
    right.set_title("Medians; bands: smallest and largest of the run")
    figure.tight_layout()
    figure.savefig(target, dpi=120)


if __name__ == "__main__":
    main()
