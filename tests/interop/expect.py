"""What the output of each program must contain, and what it must not."""
import re

COMPLAINTS = re.compile(r"\berrors?\b|\bfail(ed|ure|s)?\b|couldn't|unable|invalid|not support|segmentation|assert|corrupt|"
                        r"rocelab\[\d+\]: (error|warning)", re.IGNORECASE)
# Lines of perftest and ibv_devinfo that hold such a word and mean no harm.
HARMLESS = re.compile(r"max_pkeys|bad_pkey_cntr|qkey_viol|error_cap|_ERR\b|tag matching not supported")

SIZES_MAX = 1 << 23
MTU = 4096


def problems(program, arguments, outputs):
    wrong = []
    for output in outputs:
        for line in output.splitlines():
            if COMPLAINTS.search(line) and not HARMLESS.search(line):
                wrong.append(f"a complaint: {line.strip()}")
    if program == "ibv_devices":
        wrong += absent(outputs[0], [r"^\s+device\s+node GUID", r"^\s+rocelab0\s+[0-9a-f]{16}$"])
    elif program == "ibv_devinfo":
        wrong += devinfo(outputs[0])
    elif program.endswith("_pingpong"):
        for output in outputs:
            wrong += absent(output, [r"^\s*local address:", r"^\s*remote address:", r"^\d+ bytes in [\d.]+ seconds",
                                     r"^\d+ iters in [\d.]+ seconds"])
    elif program == "threads_pair":
        for output in outputs:
            wrong += absent(output, [r"^\d+ threads: atomics, UC, UD and inline sends, \d+ each, every byte as sent$"])
    else:
        wrong += perftest(program, arguments, outputs)
    return wrong


def absent(output, patterns):
    return [f"no line like {pattern!r}" for pattern in patterns if not re.search(pattern, output, re.MULTILINE)]


def devinfo(output):
    return absent(output, [r"hca_id:\s+rocelab0", r"transport:\s+InfiniBand", r"node_guid:\s+[0-9a-f:]{19}",
                           r"phys_port_cnt:\s+1", r"atomic_cap:\s+ATOMIC_HCA", r"max_qp:\s+\d+",
                           r"state:\s+PORT_ACTIVE \(4\)", r"max_mtu:\s+4096 \(5\)", r"active_mtu:\s+4096 \(5\)",
                           r"link_layer:\s+Ethernet", r"GID\[\s*\d+\]:\s+\S+, RoCE v2", r"GID\[\s*\d+\]:\s+\S+, RoCE v1"])


def option(arguments, name, default):
    return arguments[arguments.index(name) + 1] if name in arguments else default


def sizes_wanted(program, arguments):
    """The sizes that must each have a row in the table."""
    if "atomic" in program:
        return [8]
    if "-a" not in arguments:
        default = 2 if program.endswith("_lat") else 65536
        if option(arguments, "-c", "RC") == "UD" and program.endswith("_bw"):
            default = MTU
        return [int(option(arguments, "-s", default))]
    largest = MTU if option(arguments, "-c", "RC") == "UD" else SIZES_MAX
    return [1 << i for i in range(1, largest.bit_length())]


def rows(output):
    """size -> the row's numbers; from both tables, bandwidth and latency."""
    found = {}
    for line in output.splitlines():
        fields = line.split()
        if len(fields) >= 3 and all(re.fullmatch(r"\d+(\.\d+)?|inf|-?nan", f) for f in fields):
            found[int(float(fields[0]))] = [float(f) for f in fields[1:]]
    return found


def perftest(program, arguments, outputs):
    iterations = int(option(arguments, "-n", 0))
    per_row = iterations * int(option(arguments, "-q", 1)) if program.endswith("_bw") else iterations
    wanted = sizes_wanted(program, arguments)
    wrong = []
    if "-I" in arguments:  # not only asked for: used
        wrong += absent(outputs[1], [rf"Max inline data\s+: {option(arguments, '-I', 0)}\[B\]"])
    # Of a one-way bandwidth test and of a read or atomic latency test the server has nothing to report.
    sides = outputs if "-b" in arguments else outputs[1:]
    for output in sides:
        table = rows(output)
        for size in wanted:
            if size not in table:
                wrong.append(f"no row for size {size}")
                continue
            count, numbers = table[size][0], table[size][1:]
            if count not in (per_row, 2 * per_row):
                wrong.append(f"size {size}: {count:.0f} iterations, expected {per_row}")
            # Bandwidth: peak, average, message rate, which may round to 0 on a busy machine; latency: min, max, typical,
            # average; the deviation of few values may be nan.
            meaningful = numbers if program.endswith("_bw") else numbers[:4]
            if not all(0 <= n < float("inf") for n in meaningful) or not any(meaningful):
                wrong.append(f"size {size}: numbers without meaning: {numbers}")
        for size in set(table) - set(wanted):
            wrong.append(f"a row for size {size}, which was not asked for")
    return wrong
