"""What `python -m benchmarks gpu --out FILE` records, and the page on speed shows."""

from collections.abc import Iterator
from typing import NamedTuple

from poseur_lib.config.base import Frozen

IDLE = 0.7
"""Below this share of busy time it is the launching of kernels that bounds a call."""
NEAR = 0.5
"""From this share of a limit on, the limit is what bounds a call."""

BF16 = "bf16"


class Limits(NamedTuple):
    """What a card does at most: operations a second in bf16 (two a multiply-add) and bytes a second of its memory.

    Of float32 calls it is half of bf16's operations: torch rounds their convolutions to TF32. Matrix products are so
    rounded in the record of 2026-11-27 alone; else they reach 67 TFLOP/s at most (the datasheets' FP32). EMSDA, which
    has no convolutions, is bounded by its bytes at either rate.
    """

    flops: float
    bytes: float
    source: str


DATASHEETS = {
    "H100 80GB HBM3": Limits(989.4e12, 3.35e12, "NVIDIA H100 datasheet"),
    "H200": Limits(989.4e12, 4.8e12, "NVIDIA H200 datasheet"),
}
"""By what the name of a device contains: SXM modules, and dense products, half of the 1,979 TFLOPS with sparsity."""


class WayTime(Frozen):
    """A call, in one of the ways to run it.

    Attributes:
        way: eager, graph (a CUDA graph) or inductor (torch.compile).
        milliseconds: median; None where `note` says why there is no time.
        busy: share of the time in which the GPU executes kernels, and `kernels` their number, by the profiler.
        peak_gib: most memory of its tensors at once.
    """

    way: str
    milliseconds: float | None
    busy: float | None = None
    kernels: float | None = None
    peak_gib: float | None = None
    note: str = ""


class GpuRow(Frozen):
    """A call at one size, in all its ways.

    Attributes:
        name: what is run: network and size.
        part: whole, backbone, or the way of sampling.
        items: images or people of a call.
        flops: operations of a call, two a multiply-add; a training step is counted as three forward passes.
        bytes: the fewest bytes of a call: every convolution and matrix product reads its input and its weights once
            and writes its output once.
    """

    section: str
    name: str
    part: str
    precision: str
    batch: int
    items: int
    flops: float | None = None
    flops_source: str = "measured"
    bytes: float | None = None
    ways: tuple[WayTime, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What tells it from other rows."""
        return self.section, self.name, self.part, self.precision, self.batch

    @property
    def timed(self) -> bool:
        """Whether any way was."""
        return any(one.milliseconds is not None for one in self.ways)

    @property
    def best(self) -> WayTime:
        """The quickest way. Raises ValueError: none was timed."""
        return min((one for one in self.ways if one.milliseconds is not None), key=lambda one: one.milliseconds or 0.0)

    @property
    def milliseconds(self) -> float:
        """Of the quickest way."""
        return self.best.milliseconds or 0.0

    @property
    def per_second(self) -> float:
        """Images or people a second, in the quickest way."""
        return 1e3 * self.items / self.milliseconds

    def joined(self, other: "GpuRow") -> "GpuRow":
        """The same row with another's ways too."""
        return self.with_changes(ways=[one.model_dump() for one in (*self.ways, *other.ways)])

    def text(self) -> str:
        """A line for a terminal."""
        ways = "  ".join(
            f"{one.way} " + (f"{one.milliseconds:.2f} ms" if one.milliseconds is not None else f"({one.note})")
            for one in self.ways
        )
        speed = f"  {self.per_second:,.0f}/s" if self.timed else ""
        return f"{self.name}, {self.part}, {self.precision}, batch {self.batch}:  {ways}{speed}"


class GpuBenchmark(Frozen):
    """A run of the GPU's benchmark.

    Attributes:
        note: of which code, where that is not the commit's.
        rehearsal: tiny sizes, whose times say nothing.
        flops, bytes: operations a second of a large bf16 matrix product, and bytes read and written a second by a copy,
            measured on the card; None: by its datasheet.
        flops_source: where `flops` is from.
        left_out: what there was no time for, or what failed, a line each.
    """

    device: str
    cpu_count: int
    versions: dict[str, str]
    commit: str
    dirty: bool
    finished_at: str
    note: str = ""
    rehearsal: bool = False
    flops: float | None = None
    flops_source: str = "measured"
    bytes: float | None = None
    rows: tuple[GpuRow, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def limits(self) -> Limits:
        """Measured ones, else those of the datasheet; infinite where neither is known."""
        known = [limits for name, limits in DATASHEETS.items() if name in self.device]
        sheet = known[0] if known else Limits(float("inf"), float("inf"), "no datasheet")
        flops, moved = self.flops or sheet.flops, self.bytes or sheet.bytes
        of_flops, of_bytes = (
            self.flops_source if self.flops else sheet.source,
            "measured" if self.bytes else sheet.source,
        )
        return Limits(flops, moved, f"{flops / 1e12:.0f} TFLOP/s ({of_flops}), {moved / 1e12:.1f} TB/s ({of_bytes})")

    def of(self, section: str, name: str, part: str, precision: str, batch: int) -> GpuRow | None:
        """One row."""
        return next((row for row in self.rows if row.key == (section, name, part, precision, batch)), None)

    def as_rows(self) -> Iterator[dict[str, object]]:
        """Every call as a row of a table: milliseconds of each way, its speed and what the limits allow, its bound."""
        for row in self.rows:
            notes = dict.fromkeys(way.note for way in row.ways if way.note)
            allowed = {f"by {name}": row.per_second / share for name, share in self.shares(row).items() if share}
            yield {
                "date": self.finished_at[:10], "section": row.section, "what": row.name, "part": row.part,
                "precision": row.precision, "batch": row.batch, **{way.way: way.milliseconds for way in row.ways},
                "per second": row.per_second if row.timed else None, **allowed, "bounded by": self.bound(row),
                "note": "; ".join(notes),
            }  # fmt: skip

    def shares(self, row: GpuRow) -> dict[str, float]:
        """How near the quickest way comes to each limit."""
        if not row.timed:
            return {}
        seconds, limits = row.milliseconds / 1e3, self.limits
        most = limits.flops if row.precision == BF16 else limits.flops / 2
        counted = {"arithmetic": (row.flops, most), "memory bandwidth": (row.bytes, limits.bytes)}
        return {name: work / limit / seconds for name, (work, limit) in counted.items() if work}

    def bound(self, row: GpuRow) -> str:
        """What bounds the quickest way, in words."""
        if not row.timed:
            return ""
        shares, busy = self.shares(row), row.best.busy
        near = max(shares, key=lambda name: shares[name], default=None)
        said = [f"{name} {share:.0%}" if share >= 0.1 else f"{name} {share:.1%}" for name, share in shares.items()]
        if busy is not None and busy < IDLE:
            return "; ".join([f"launching kernels: the GPU is busy for {busy:.0%}", *said])
        if near is not None and shares[near] >= NEAR:
            return f"{near}: " + ", ".join(said)
        if busy is None:
            return "; ".join(["not profiled", *said])
        return "; ".join([f"its kernels, short of both limits: the GPU is busy for {busy:.0%}", *said])
