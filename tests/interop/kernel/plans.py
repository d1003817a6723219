"""What the two sides of data_check.py do and expect: drawn from a seed, the same on both without a word between them."""
import random
from dataclasses import dataclass

COUNT = 24  # requests of a side in a round
SLOT = 8448  # bytes; room for two packets of the largest path MTU and a bit
BLANK = 0xEE  # never sent
MASK = (1 << 64) - 1
KINDS = {"rc": ["send", "send_imm", "write", "write_imm", "read", "read", "fetch_add", "cmp_swap"],
         "uc": ["send_imm", "write_imm"], "ud": ["send_imm"]}


@dataclass
class Work:
    kind: str
    length: int
    imm: int = 0
    parts: int = 1  # elements of the scatter/gather list
    inline: bool = False
    fence: bool = False
    compare_add: int = 0
    swap: int = 0

    @property
    def takes_receive(self):
        return self.kind in ("send", "send_imm", "write_imm")

    def applied_to(self, cell):
        if self.kind == "fetch_add":
            return (cell + self.compare_add) & MASK
        if self.kind == "cmp_swap" and cell == self.compare_add:
            return self.swap
        return cell


def first_psn(seed, side):
    return random.Random(f"psn {seed} {side}").choice([0, 5, 0x7FFFFE, 0xFFFFF0, 0xFFFFFF])


def contents(seed, side, round_, i):
    return random.Random(f"{seed} {side} {round_} {i}").randbytes(SLOT).replace(bytes([BLANK]), b"\0")


def plan(seed, side, round_, transport, mtu, clean, cell=0):
    """`clean`: the link loses nothing. `cell`: what the other side's counter holds before; nobody else changes it, so that
    every atomic's outcome is known."""
    rng = random.Random(f"plan {seed} {side} {round_}")
    works = []
    for i in range(COUNT):
        kind = rng.choice(KINDS[transport])
        longest = mtu if transport == "ud" else SLOT
        length = min(rng.choice([0, 1, 7, 64, mtu - 1, mtu, mtu + 1, 2 * mtu, rng.randrange(SLOT), SLOT]), longest)
        # README.md: a request with a fence that rxe has to send again may wait for itself or its successors for ever.
        work = Work(kind, length, fence=clean and transport == "rc" and rng.random() < 0.2)
        if transport == "uc" and kind == "write_imm":
            work.length = min(length, mtu)  # README.md: a lost packet of a longer one stops rxe's responder for ever
        if kind.endswith("_imm"):
            work.imm = rng.getrandbits(32) if transport == "rc" else mark(round_, i)
        if kind in ("fetch_add", "cmp_swap"):
            work.length, work.compare_add, work.swap = 8, rng.getrandbits(64), rng.getrandbits(64)
            if kind == "cmp_swap" and rng.random() < 0.7:
                work.compare_add = cell
            cell = work.applied_to(cell)
        else:
            work.parts = rng.choice([1, 2])
            work.inline = kind != "read" and length <= 64 and rng.random() < 0.5
        works.append(work)
    return works


def mark(round_, i):
    """Immediate data of an unreliable message: which it is."""
    return (round_ & 0xFF) << 16 | i
