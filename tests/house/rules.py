"""The house rules as data: who may include what, which headers and calls are banned where, and what to use instead.

The dependency table is the one of ARCHITECTURE.md; a change here is a change of the architecture and needs its words.
Read by house.py; every rule has its canary in selftest.py.
"""

# Folder -> folders it may use directly; what those may use comes along. Keys are paths in the tree without `src/`.
MAY_USE = {
    "base": [],
    "wire": ["base"],
    "roce_v1": ["wire"],
    "roce_v2": ["wire"],
    "mm": ["base"],
    "qos": ["base"],
    "rxe": ["mm", "qos", "wire"],
    "net": ["roce_v1", "roce_v2", "wire"],
    "vnic": ["qos", "net"],
    "virt": ["vnic", "mm"],
    "drivers/ibmvnic": ["vnic", "virt"],
    "drivers/ocrdma": ["rxe", "mm", "vnic"],
    "sim": ["rxe", "vnic", "qos", "virt", "mm", "net", "roce_v1", "roce_v2"],
    "cm": ["wire"],
    "runtime": ["rxe", "net", "vnic", "cm"],
    "verbs": ["runtime", "rxe", "net", "vnic", "cm"],
    "sim_verbs": ["perftest", "sim", "verbs"],
    "perftest": ["base"],
    "cli": ["perftest", "sim_verbs", "verbs", "runtime", "sim", "drivers/ocrdma", "drivers/ibmvnic"],
}

# Folders that take time, chance and packets as arguments (ARCHITECTURE.md: the engine does no I/O).
#  Of the simulator: not sim/parallel (threads), sim/report (files) and sim/workload (reads scenario files).
PURE = ["wire", "roce_v1", "roce_v2", "rxe", "cm", "qos", "mm", "sim/kernel", "sim/fabric", "sim/host"]

_ANYWHERE = ["src", "drivers", "tests", "perf", "examples"]
_PURE_PATHS = ["src/" + folder for folder in PURE]

# (pattern of a <system header>, paths it is restricted to or None, paths where it is banned or None, the rule)
SYSTEM_HEADERS = [
    (r"rte_\w+\.h", ["src/net/dpdk", "perf/dpdk"], None,
     "DPDK headers only in src/net/dpdk (and what perf/dpdk sets beside it): go through net::Port"),
    (r"infiniband/.*", ["src/verbs", "src/perftest", "examples", "tests", "perf"], None,
     "<infiniband/...> only in src/verbs, src/perftest, examples, tests and perf: inside, use rxe/types.h"),
    (r"rdma/fi_\w+\.h|rdma/fabric\.h", ["perf"], None, "libfabric only in perf: it is a peer to compare with"),
    (r"rdma/(?!fi_|fabric).*", ["src/verbs", "examples", "tests", "perf"], None,
     "<rdma/...> only in src/verbs, examples, tests and perf"),
    (r"(thread|mutex|shared_mutex|condition_variable|future|stop_token|semaphore|latch|barrier|pthread\.h|threads\.h)",
     None, _PURE_PATHS, "no threads or locks here: the owner of the engine serialises calls (src/runtime does)"),
    (r"(sys/socket\.h|netinet/.*|sys/epoll\.h|poll\.h|sys/select\.h|asio.*|sys/un\.h|ifaddrs\.h|net/if\.h)",
     None, _PURE_PATHS, "no sockets here: packets are handed in and polled out; ports live in src/net"),
    (r"(chrono|ctime|time\.h|sys/time\.h|x86intrin\.h|sys/timerfd\.h)",
     None, _PURE_PATHS, "no clock here: `now` is an argument (base/time.h)"),
    (r"(unistd\.h|fcntl\.h|fstream|filesystem|sys/mman\.h|sys/stat\.h|dlfcn\.h|csignal|signal\.h)",
     None, _PURE_PATHS, "no system calls here: the engine does no I/O"),
    (r"random", None, _ANYWHERE, "no <random>: use base::Rng (base/rng.h), the same numbers on every platform"),
]

# (pattern in code without comments and strings, paths where it is banned, the rule with the replacement)
BANNED_CALLS = [
    (r"\brandom_device\b|\bmt19937|\buniform_(int|real)_distribution\b|\bdefault_random_engine\b", _ANYWHERE,
     "use base::Rng with a named seed"),
    (r"(?<![\w.>:])(std::|::)?s?rand(om)?(_r)?\s*\(|\b[dlm]rand48\s*\(", _ANYWHERE, "use base::Rng with a named seed"),
    (r"\b(usleep|nanosleep|clock_nanosleep|sleep_for|sleep_until)\s*\(|(?<![\w.>])(::)?sleep\s*\(",
     _PURE_PATHS + ["src/net", "src/verbs", "tests"],
     "never sleep for a time: wait for the event (a deadline in next_timeout(), poll() on a descriptor)"),
    (r"\b(system|steady|high_resolution)_clock\b|\bclock_gettime\b|\bgettimeofday\b|(?<![\w.>])(std::|::)?time\s*\(\s*(NULL|nullptr|0)\s*\)",
     _PURE_PATHS, "`now` is an argument (base::TimePoint)"),
    (r"\b__?rdtscp?\b|__builtin_ia32_rdtsc", _PURE_PATHS, "`now` is an argument (base::TimePoint)"),
    (r"\bstd::(mutex|thread|jthread|condition_variable|lock_guard|unique_lock|scoped_lock)\b|\bpthread_\w+\s*\(",
     _PURE_PATHS, "no threads or locks here: the owner of the engine serialises calls"),
    (r"\bthread_local\b", _PURE_PATHS, "keep the state in an object that the owner hands in"),
    (r"(?<![\w.>])(::)?(socket|recvmsg|sendmsg|recvfrom|sendto)\s*\(", _PURE_PATHS, "packets are handed in; ports live in src/net"),
    (r"\bstd::(cout|cerr|clog)\b|(?<![\w.>])(std::)?f?printf\s*\(", _PURE_PATHS,
     "return the text (to_string) or count the event; only src/cli prints"),
    (r"(?<!\w)throw\b", _PURE_PATHS + ["src/net", "src/runtime", "src/verbs"], "return base::Result or base::TextResult"),
    (r"(?<![\w.>])(std::)?(strcpy|strcat|sprintf|vsprintf|gets)\s*\(", ["src", "drivers", "perf", "examples"],
     "use std::string, fmt or snprintf with a size"),
    (r"(?<![\w.>])(std::)?(atoi|atol|atof)\s*\(", ["src", "drivers", "perf", "examples"],
     "use std::from_chars and report what is wrong"),
    (r"#\s*pragma\s+pack|__attribute__\s*\(\(\s*(__)?packed|\[\[gnu::packed\]\]", ["src/wire", "src/roce_v1", "src/roce_v2"],
     "wire structs are read and written by byte offsets"),
    (r"\busing\s+namespace\s+std\s*;", _ANYWHERE, "write std:: out"),
    (r"\bvolatile\b", _PURE_PATHS, "use std::atomic in src/runtime; the engine is single-threaded"),
]

LINES_MAX = 500
