"""One side of a pair that checks every byte: data_check.py rc|uc|ud -d DEVICE -g GID [-m MTU] [-r ROUNDS]
[-s SEED] [--clean] -p PORT [SERVER].

A plain pyverbs program, the same on rocelab and on the kernel's rxe. Both sides draw the same plan from the seed (plans.py)
and both send at the same time. RC: SEND, WRITE, READ and atomics, with and without immediate data, must arrive exactly
once, in order, and touch no byte beside their own. UC and UD: what arrives must be whole and right; with --clean (a link
without faults) nothing may be missing or out of order. A round ends by a few words over TCP, never by a time.
"""
import argparse
import json
import select
import signal
import socket
import sys

import pyverbs.enums as e
from pyverbs.addr import GID, AH, AHAttr, GlobalRoute
from pyverbs.cq import CQ
from pyverbs.device import Context
from pyverbs.mr import MR
from pyverbs.pd import PD
from pyverbs.qp import QP, QPAttr, QPCap, QPInitAttr
from pyverbs.wr import SGE, RecvWR, SendWR

import plans

QKEY = 0x11111111
GRH = 40
MARKER = 0xFFFF  # in the place of a message's number
SECONDS = 75  # that all of it may take
POLLS = 500  # for a marker, before another one is asked for
TYPES = {"rc": e.IBV_QPT_RC, "uc": e.IBV_QPT_UC, "ud": e.IBV_QPT_UD}
MTUS = {256: e.IBV_MTU_256, 512: e.IBV_MTU_512, 1024: e.IBV_MTU_1024, 2048: e.IBV_MTU_2048, 4096: e.IBV_MTU_4096}
RIGHTS = e.IBV_ACCESS_LOCAL_WRITE | e.IBV_ACCESS_REMOTE_WRITE | e.IBV_ACCESS_REMOTE_READ | e.IBV_ACCESS_REMOTE_ATOMIC
OPCODES = {"send": e.IBV_WR_SEND, "send_imm": e.IBV_WR_SEND_WITH_IMM, "write": e.IBV_WR_RDMA_WRITE,
           "write_imm": e.IBV_WR_RDMA_WRITE_WITH_IMM, "read": e.IBV_WR_RDMA_READ,
           "fetch_add": e.IBV_WR_ATOMIC_FETCH_AND_ADD, "cmp_swap": e.IBV_WR_ATOMIC_CMP_AND_SWP}


class Wrong(Exception):
    pass


def expect(condition, words):
    if not condition:
        raise Wrong(words)


def give_up(*_):
    raise Wrong(f"no progress in {SECONDS} s")


class Line:
    """What the two sides tell each other beside the wire."""

    def __init__(self, server, port):
        if server:
            self.socket = socket.create_connection((server, port), timeout=60)
        else:
            with socket.create_server(("", port)) as listener:
                self.socket, _ = listener.accept()
        self.lines = self.socket.makefile("r")

    def say(self, words):
        self.socket.sendall((json.dumps(words) + "\n").encode())

    def hear(self):
        line = self.lines.readline()
        expect(line, "the other side has gone")
        return json.loads(line)

    def exchange(self, mine):
        self.say(mine)
        return self.hear()

    def has_words(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def check_alive(self):
        expect(not self.has_words() or self.socket.recv(1, socket.MSG_PEEK), "the other side has gone")


class Side:
    """Memory (slots of plans.SLOT bytes): sources, targets, results, receives; then the atomics' cell and results."""

    def __init__(self, options):
        self.options, self.number = options, 1 if options.server else 0
        self.kind, self.count = options.type, plans.COUNT
        self.context = Context(name=options.device)
        self.pd = PD(self.context)
        self.sources, self.targets, self.results, self.receives = (i * self.count * plans.SLOT for i in range(4))
        self.receive_count = 2 * self.count
        self.cell = 5 * self.count * plans.SLOT
        self.memory = MR(self.pd, self.cell + 8 * (1 + self.count), RIGHTS)
        self.send_cq, self.receive_cq = CQ(self.context, 4 * self.count), CQ(self.context, 4 * self.count)
        self.cap = QPCap(max_send_wr=2 * self.count, max_recv_wr=2 * self.count, max_send_sge=2, max_recv_sge=1,
                         max_inline_data=64)
        init = QPInitAttr(qp_type=TYPES[self.kind], scq=self.send_cq, rcq=self.receive_cq, cap=self.cap)
        attr = QPAttr(port_num=1)
        attr.qp_access_flags = RIGHTS & (~e.IBV_ACCESS_REMOTE_READ & ~e.IBV_ACCESS_REMOTE_ATOMIC if self.kind == "uc" else ~0)
        if self.kind == "ud":
            attr.qkey = QKEY
        self.qp, self.at = QP(self.pd, init, attr), "connecting"
        self.line = Line(options.server, options.port)
        self.peer = self.line.exchange({"qpn": self.qp.qp_num, "gid": self.context.query_gid(1, options.gid).gid,
                                        "address": self.memory.buf, "rkey": self.memory.rkey})
        self.connect()

    def progress(self):
        """For whoever has to find out why it stopped."""
        attr, _ = self.qp.query(e.IBV_QP_STATE | e.IBV_QP_SQ_PSN | e.IBV_QP_RQ_PSN)
        return f"{self.at}; QP state {attr.qp_state}, send PSN {attr.sq_psn:#x}, receive PSN {attr.rq_psn:#x}"

    def connect(self):
        route = GlobalRoute(dgid=GID(self.peer["gid"]), sgid_index=self.options.gid)
        route.hop_limit = 64
        address = AHAttr(port_num=1, is_global=1, gr=route, dlid=0)
        if self.kind == "ud":
            self.ah = AH(self.pd, attr=address)
            return
        attr = QPAttr(port_num=1)
        attr.dest_qp_num, attr.ah_attr, attr.path_mtu = self.peer["qpn"], address, MTUS[self.options.mtu]
        attr.rq_psn = plans.first_psn(self.options.seed, 1 - self.number)
        attr.sq_psn = plans.first_psn(self.options.seed, self.number)
        if self.kind == "rc":
            attr.max_rd_atomic = attr.max_dest_rd_atomic = 4
            attr.min_rnr_timer, attr.timeout, attr.retry_cnt, attr.rnr_retry = 12, 14, 7, 7
        self.qp.to_rts(attr)

    def post_receives(self, count):
        for i in range(count):
            self.post_receive(i)

    def post_receive(self, i):
        self.qp.post_recv(RecvWR(wr_id=i, num_sge=1, sg=[SGE(self.memory.buf + self.receives + i * plans.SLOT, plans.SLOT,
                                                             self.memory.lkey)]))

    def sges(self, offset, length, parts):
        first = length // 3 if parts == 2 else length
        pieces = [(offset, first)] + ([(offset + first, length - first)] if parts == 2 else [])
        return [SGE(self.memory.buf + at, size, self.memory.lkey) for at, size in pieces]

    def post(self, i, work):
        flags = e.IBV_SEND_SIGNALED | (e.IBV_SEND_INLINE if work.inline else 0) | (e.IBV_SEND_FENCE if work.fence else 0)
        if work.kind in ("fetch_add", "cmp_swap"):
            sges = self.sges(self.cell + 8 * (1 + i), 8, 1)
        else:
            sges = self.sges((self.results if work.kind == "read" else self.sources) + i * plans.SLOT, work.length, work.parts)
        request = SendWR(wr_id=i, opcode=OPCODES[work.kind], num_sge=len(sges), sg=sges, send_flags=flags)
        if work.kind.endswith("_imm"):
            request.imm_data = socket.htonl(work.imm)
        if work.kind.startswith("write"):
            request.set_wr_rdma(self.peer["rkey"], self.peer["address"] + self.targets + i * plans.SLOT)
        elif work.kind == "read":
            request.set_wr_rdma(self.peer["rkey"], self.peer["address"] + self.sources + i * plans.SLOT)
        elif work.kind in ("fetch_add", "cmp_swap"):
            request.set_wr_atomic(self.peer["rkey"], self.peer["address"] + self.cell, work.compare_add, work.swap)
        if self.kind == "ud":
            request.set_wr_ud(self.ah, self.peer["qpn"], QKEY)
        self.qp.post_send(request)

    def poll(self, cq, what):
        count, completions = cq.poll(8)
        for c in completions[:count]:
            expect(c.status == e.IBV_WC_SUCCESS, f"{what} {c.wr_id}: status {c.status}, vendor error {c.vendor_err:#x}")
        return completions[:count]

    def fill(self, round_):
        """Sources with this round's contents, all that the peer may write with a pattern that it never sends."""
        for i in range(self.count):
            self.memory.write(self.mine(round_, i), plans.SLOT, self.sources + i * plans.SLOT)
        blank = bytes([plans.BLANK]) * (self.cell - self.targets)
        self.memory.write(blank, len(blank), self.targets)

    def mine(self, round_, i):
        return plans.contents(self.options.seed, self.number, round_, i)

    def theirs(self, round_, i):
        return plans.contents(self.options.seed, 1 - self.number, round_, i)

    def area(self, base, i, length=plans.SLOT):
        return self.memory.read(length, base + i * plans.SLOT)

    def check_slot(self, base, i, expected, what):
        found = self.area(base, i)
        wanted = expected + bytes([plans.BLANK]) * (plans.SLOT - len(expected))
        if found != wanted:
            at = next(k for k in range(plans.SLOT) if found[k] != wanted[k])
            raise Wrong(f"{what}: byte {at} of {len(expected)} is {found[at]:#04x}, not {wanted[at]:#04x}")

    # Reliable: everything arrives, once, in order.
    def reliable_round(self, round_, cells):
        seed, mtu = self.options.seed, self.options.mtu
        mine = plans.plan(seed, self.number, round_, self.kind, mtu, self.options.clean, cells[1])
        theirs = plans.plan(seed, 1 - self.number, round_, self.kind, mtu, self.options.clean, cells[0])
        arrivals = [(i, w) for i, w in enumerate(theirs) if w.takes_receive]
        self.fill(round_)
        self.post_receives(len(arrivals))
        self.line.exchange({"ready": round_})
        for i, work in enumerate(mine):
            self.post(i, work)
        sent = arrived = 0
        while sent < len(mine) or arrived < len(arrivals):
            for c in self.poll(self.send_cq, "request"):
                expect(c.wr_id == sent, f"request {c.wr_id} completed, expected {sent}")
                sent += 1
            for c in self.poll(self.receive_cq, "receive"):
                expect(arrived < len(arrivals), "more arrived than was sent")
                self.check_arrival(round_, c, arrived, *arrivals[arrived])
                arrived += 1
            self.at = f"round {round_}: {sent} of {len(mine)} completed, {arrived} of {len(arrivals)} arrived"
            self.line.check_alive()
        self.line.exchange({"done": round_})
        for i, work in enumerate(theirs):
            if work.kind.startswith("write"):
                wanted = self.theirs(round_, i)[:work.length]
                self.check_slot(self.targets, i, wanted, f"round {round_}, write {i}")
        for i, work in enumerate(mine):
            if work.kind == "read":
                wanted = self.theirs(round_, i)[:work.length]
                self.check_slot(self.results, i, wanted, f"round {round_}, read {i}")
            elif work.kind in ("fetch_add", "cmp_swap"):
                found = int.from_bytes(self.memory.read(8, self.cell + 8 * (1 + i)), sys.byteorder)
                expect(found == cells[1], f"round {round_}, {work.kind} {i}: original {found:#x}, not {cells[1]:#x}")
                cells[1] = work.applied_to(cells[1])
        for work in theirs:
            cells[0] = work.applied_to(cells[0])
        found = int.from_bytes(self.memory.read(8, self.cell), sys.byteorder)
        expect(found == cells[0], f"round {round_}: the cell is {found:#x}, not {cells[0]:#x}: an atomic was lost or repeated")
        self.line.exchange({"checked": round_})

    def check_arrival(self, round_, completion, number, i, work):
        what = f"round {round_}, {work.kind} {i}"
        expect(completion.wr_id == number, f"{what}: receive {completion.wr_id}, expected {number}")
        expect(completion.byte_len == work.length, f"{what}: {completion.byte_len} bytes, expected {work.length}")
        if work.kind.endswith("_imm"):
            expect(socket.ntohl(completion.imm_data) == work.imm, f"{what}: immediate {completion.imm_data:#x}")
        if work.kind.startswith("send"):
            wanted = self.theirs(round_, i)[:work.length]
            self.check_slot(self.receives, number, wanted, what)

    # Unreliable: what arrives is right. Immediate data tells which message it is.
    def unreliable_round(self, round_):
        seed, mtu = self.options.seed, self.options.mtu
        mine = plans.plan(seed, self.number, round_, self.kind, mtu, self.options.clean)
        theirs = plans.plan(seed, 1 - self.number, round_, self.kind, mtu, self.options.clean)
        self.fill(round_)
        if round_ == 0:
            self.post_receives(self.receive_count)
        else:
            self.arrivals(round_, theirs)
        self.line.exchange({"ready": round_})
        for i, work in enumerate(mine):
            self.post(i, work)
        marker = plans.Work("send_imm", 0, imm=plans.mark(round_, MARKER))
        outstanding, seen, mine_over, theirs_over = len(mine), [], False, False
        while not mine_over or not theirs_over:
            patience = POLLS
            while outstanding or (not mine_over and patience):
                outstanding -= len(self.poll(self.send_cq, "request"))
                patience -= 1 if patience else 0
                for i in self.arrivals(round_, theirs):
                    # UC takes whatever begins a message, out of turn or again: only a good link keeps the order.
                    expect(not self.options.clean or not seen or i > seen[-1], f"round {round_}: {i} after {seen[-1:]}")
                    seen.append(i)
                mine_over = MARKER in seen and (not self.options.clean or len(set(seen)) == len(theirs) + 1)
                self.at = f"round {round_}: {outstanding} not completed, arrived: {seen}"
            theirs_over = self.line.exchange({"over": mine_over})["over"]
            if not mine_over or not theirs_over:  # a marker that came early, or was lost, is sent again
                self.post(0, marker)
                outstanding = 1
        self.arrivals(round_, theirs)  # late markers
        return len(set(seen)) - 1, len(theirs)

    def arrivals(self, round_, theirs):
        """Numbers of this round's messages that have arrived; checked, and their receives posted again."""
        numbers = []
        for c in self.poll(self.receive_cq, "receive"):
            mark = socket.ntohl(c.imm_data)
            if mark >> 16 == round_ & 0xFF:
                numbers.append(mark & 0xFFFF)
                if numbers[-1] != MARKER:
                    self.check_datagram(round_, c, numbers[-1], theirs[numbers[-1]])
            self.memory.write(bytes([plans.BLANK]) * plans.SLOT, plans.SLOT, self.receives + c.wr_id * plans.SLOT)
            self.post_receive(c.wr_id)
        return numbers

    def check_datagram(self, round_, completion, i, work):
        what = f"round {round_}, {work.kind} {i}"
        wanted = self.theirs(round_, i)[:work.length]
        header = GRH if self.kind == "ud" else 0
        expect(completion.byte_len == len(wanted) + header, f"{what}: {completion.byte_len} bytes, expected {len(wanted)}")
        if work.kind.startswith("write"):
            self.check_slot(self.targets, i, wanted, what)
        else:
            found = self.area(self.receives, completion.wr_id)[header:]
            if self.kind == "uc" and not self.options.clean:  # a message that lost its end may have had the buffer before
                found = found[:len(wanted)]
            blank = bytes([plans.BLANK]) * (len(found) - len(wanted))
            expect(found == wanted + blank, f"{what}: other bytes than were sent")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("type", choices=TYPES)
    for flag, default in (("-g", 0), ("-m", 1024), ("-r", 3), ("-s", 1), ("-p", 18515)):
        parser.add_argument(flag, type=int, default=default,
                            dest={"-g": "gid", "-m": "mtu", "-r": "rounds", "-s": "seed", "-p": "port"}[flag])
    parser.add_argument("-d", dest="device", default="rocelab0")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("server", nargs="?")
    options = parser.parse_intermixed_args()
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    side = None
    try:
        side = Side(options)
        cells, seen, of = [0, 0], 0, 0
        for round_ in range(options.rounds):
            if options.type == "rc":
                side.reliable_round(round_, cells)
            else:
                some, total = side.unreliable_round(round_)
                seen, of = seen + some, of + total
        expect(options.type == "rc" or seen > of // 4, f"only {seen} of {of} messages arrived")
        print(f"{options.rounds} rounds, every byte as sent" + (f"; {seen} of {of} messages arrived" if of else ""))
    except (Wrong, OSError) as wrong:
        sys.exit(f"WRONG: {wrong}; {side.progress() if side else 'at the start'}")


main()
