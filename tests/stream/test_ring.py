"""The ring's file: what is in it survives, what is not a ring is told from one, and nobody maps what can shrink."""

import errno
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import RingError
from appliance.stream import layout
from appliance.stream.layout import Record, Shape, Word
from appliance.stream.ring import Ring, claim, create, open_ring, put, ring_path, take

RATE = 8_000


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return create(tmp_path, RATE, 2, 2.0)


def test_what_one_process_writes_the_other_reads(ring: Ring, tmp_path: Path) -> None:
    other = open_ring(tmp_path, writable=True)
    ring.words[Word.READ] = 2**63 + 5
    ring.reals[Word.LOUDNESS] = -20.25
    ring.lanes[1, 7] = (0.5, -0.5)
    ring.grids[0, 1, 3] = -18.0
    ring.history[-1] = 0.25
    ring.monitor[0] = -0.25
    ring.facts.write(b"facts")
    assert (other.rate, other.channels, other.reserve_s) == (RATE, 2, 2.0)
    assert other.words[Word.READ] == 2**63 + 5
    assert other.reals[Word.LOUDNESS] == -20.25
    assert other.lanes[1, 7].tolist() == [0.5, -0.5]
    assert other.grids[0, 1, 3] == -18.0
    assert (other.history[-1].tolist(), other.monitor[0].tolist()) == ([0.25, 0.25], [-0.25, -0.25])
    assert other.facts.read() == b"facts"


def test_no_region_touches_another(ring: Ring) -> None:
    """Each is filled to the brim with its own value; none of the others sees it."""
    regions = {"lane 0": ring.lanes[0], "lane 1": ring.lanes[1], "history": ring.history, "monitor": ring.monitor}
    regions |= {"grid 0": ring.grids[0], "grid 1": ring.grids[1]}
    for number, region in enumerate(regions.values(), start=1):
        region[...] = number
    for lane in (0, 1):
        for hop in range(ring.shape.slots):
            ring.save(lane, hop, lane * 1000 + hop, b"\xee" * (layout.SLOT_BYTES - 16))
    for word in range(128):
        ring.words[word] = 2**64 - 1
    for record in (ring.gains, ring.facts, ring.device):
        record.write(b"\xdd" * 2032)
    assert ring.intact()
    for number, region in enumerate(regions.values(), start=1):
        assert (region == number).all()
    assert len(ring.saved(0)) == len(ring.saved(1)) == ring.shape.slots
    assert ring.path.stat().st_size == ring.shape.offsets.end


def test_a_ring_of_another_shape_takes_the_place_of_the_first(ring: Ring, tmp_path: Path) -> None:
    assert ring.current()
    before = ring_path(tmp_path).stat().st_ino
    held = ring_path(tmp_path).open("rb")
    other = create(tmp_path, 2 * RATE, 1, 2.0)
    assert not ring.current()
    assert other.current()
    assert ring_path(tmp_path).stat().st_ino != before
    # The first is still whole for those who have it.
    assert os.fstat(held.fileno()).st_size == ring.shape.offsets.end
    ring.lanes[1] = 1.0
    assert list(tmp_path.iterdir()) == [ring_path(tmp_path)]
    held.close()


def test_no_ring(tmp_path: Path) -> None:
    with pytest.raises(RingError, match="Nothing plays on this machine"):
        open_ring(tmp_path, writable=True)


@pytest.mark.parametrize("length", [0, 10, Shape.size() - 1, Shape.size(), 100_000])
def test_a_torn_file_is_no_ring(ring: Ring, tmp_path: Path, length: int) -> None:
    whole = ring_path(tmp_path).read_bytes()
    torn = tmp_path / "torn"
    torn.mkdir()
    ring_path(torn).write_bytes(whole[:length])
    with pytest.raises(RingError, match="no ring that can be played"):
        open_ring(torn, writable=True)
    ring_path(torn).write_bytes(whole)
    assert open_ring(torn, writable=True).shape == ring.shape


@pytest.mark.parametrize("place", range(0, 88, 5))
def test_a_header_with_a_wrong_byte_is_no_header(ring: Ring, tmp_path: Path, place: int) -> None:
    with ring_path(tmp_path).open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 0x40]))
    assert not ring.intact()
    with pytest.raises(RingError, match="no ring that can be played"):
        open_ring(tmp_path, writable=True)


def test_a_ring_from_before_the_machine_started_is_stale(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "boot_id", lambda: b"another start...")
    with pytest.raises(RingError, match="no ring that can be played"):
        open_ring(tmp_path, writable=True)


def test_another_version_is_foreign(ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "VERSION", layout.VERSION + 1)
    with pytest.raises(RingError, match="no ring that can be played"):
        open_ring(tmp_path, writable=True)


def test_no_room_is_said_before_anything_is_lost(ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RingError, match=r"no room\): make \d+ MB of room"):
        create(tmp_path, RATE, 2, 2.0)
    assert ring.current()
    assert list(tmp_path.iterdir()) == [ring_path(tmp_path)]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RingError, match="No such file"):
        create(tmp_path / "absent", RATE, 2, 2.0)


def test_one_engine_at_a_time(tmp_path: Path) -> None:
    first = claim(tmp_path, "engine")
    with pytest.raises(RingError, match="Another engine runs already"):
        claim(tmp_path, "engine")
    os.close(claim(tmp_path, "player"))
    os.close(first)
    os.close(claim(tmp_path, "engine"))


def test_saved_cursors_are_whole_or_not_there(ring: Ring) -> None:
    ring.save(0, 3, 24_000, b"third")
    ring.save(0, 4, 32_000, b"fourth")
    ring.save(1, 3, 24_000, b"another")
    assert ring.saved(0) == {24_000: b"third", 32_000: b"fourth"}
    at = ring.shape.offsets.slots + 4 * layout.SLOT_BYTES + 18
    with ring.path.open("r+b") as file:
        file.seek(at)
        file.write(b"?")
    assert ring.saved(0) == {24_000: b"third"}
    ring.save(0, 3 + ring.shape.slots, 99_000, b"later")
    assert ring.saved(0) == {99_000: b"later"}
    ring.forget(0)
    assert (ring.saved(0), ring.saved(1)) == ({}, {24_000: b"another"})


def test_a_record_is_whole_or_what_it_was(ring: Ring) -> None:
    record, other = ring.gains, Record(memoryview(bytearray(16384)), Record.GAINS)
    assert other.read() is None
    assert record.read() is None
    record.write(b"first")
    record.write(b"second")
    assert (record.read(), record.count) == (b"second", 2)
    # Half of the third: its place was written, the count not yet.
    record._places[1][8:14] = b"third!"
    assert record.read() == b"second"
    # The count says three, but what it points at is torn.
    record._count[0] = 3
    assert record.read() == b"second"
    with pytest.raises(ValueError, match="2032"):
        record.write(bytes(2033))


def test_a_record_of_garbage(ring: Ring) -> None:
    record = ring.facts
    record._count[0] = 7
    record._places[1][:8] = struct.pack("<II", 5, 2**32 - 1)
    assert record.read() is None


@given(start=st.integers(0, 2**40), count=st.integers(0, 50))
def test_what_is_put_is_what_is_taken(start: int, count: int) -> None:
    region = np.full((50, 2), -1.0, dtype=np.float32)
    frames = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    put(region, start, frames)
    assert np.array_equal(take(region, start, count), frames)
    assert (region == -1.0).sum() == 2 * (50 - count)
