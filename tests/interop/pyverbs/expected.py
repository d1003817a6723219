"""The list of expected results, one test a line of expected.txt:

    test_addr.AHTest.test_create_ah | pass
    test_cuda_dmabuf.DmabufCudaTest.test_... | skip | the reason that the test gives
    test_odp.OdpTestCase.test_odp_rc_huge_traffic | pass or skip | the reason, where it depends on the machine
    test_x.XTest.test_y | fail | a word or more of what it says

A skip for any other reason than the one in the list is a difference, as is a test that the list lacks, or that is gone.
"""
ALLOWED = ("pass", "skip", "pass or skip", "fail")
HEADER = """# What comes of rdma-core 44's Python tests on rocelab: test | pass, skip, fail or `pass or skip` | reason.
# Compared by suite.py; `suite.py ROCELAB --update` writes it anew from a run (and keeps the lines `pass or skip`).
"""


def read(path):
    found = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = [part.strip() for part in line.split(" | ", 2)]
            if len(parts) < 2 or parts[1] not in ALLOWED or (parts[1] != "pass" and len(parts) != 3):
                raise ValueError(f"{path}:{number}: not `test | outcome | reason`: {line}")
            if parts[0] in found:
                raise ValueError(f"{path}:{number}: {parts[0]} is there twice")
            found[parts[0]] = (parts[1], parts[2] if len(parts) == 3 else "")
    return found


def fits(wanted, outcome, why):
    allowed, reason = wanted
    if outcome == "pass":
        return allowed in ("pass", "pass or skip")
    if outcome == "skip":
        return allowed in ("skip", "pass or skip") and why == reason
    return allowed == "fail" and reason in why


def differences(wanted, results):
    """Lines of words; empty: as expected."""
    wrong = []
    for name, (outcome, why) in results.items():
        if name not in wanted:
            wrong.append(f"{name}: {outcome}, but the list does not have it")
        elif not fits(wanted[name], outcome, why):
            allowed, reason = wanted[name]
            expected = f"{allowed} ({reason})" if reason else allowed
            wrong.append(f"{name}: expected {expected}, got {outcome}{f' ({why})' if outcome == 'skip' else ''}")
    wrong += [f"{name}: in the list, but it did not run" for name in wanted if name not in results]
    return wrong


def last_line(why):
    lines = [line for line in why.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no word"


def write(path, old, results):
    with open(path, "w", encoding="utf-8") as out:
        out.write(HEADER)
        for name in sorted(results):
            outcome, why = results[name]
            if name in old and old[name][0] == "pass or skip" and fits(old[name], outcome, why):
                outcome, why = old[name]
            reason = last_line(why) if outcome == "fail" else why
            out.write(f"{name} | {outcome}{f' | {reason}' if reason else ''}\n")
