"""Models in a store, without what is in them: a few bytes stand for a bundle."""

import hashlib

from appliance.model.choice import Choice, Entry, Pointer
from appliance.model.store import Store
from appliance.model.verdict import Verdict

NOON = 1.75e9
DAY = 86_400.0


def verdict_of(data: bytes, name: str) -> Verdict:
    digest = hashlib.sha256(data).hexdigest()
    return Verdict(
        accepted=True,
        name=name,
        licence="MIT",
        author="the tests",
        created="2025-01-01",
        digest=digest,
        size=len(data),
        precision="int8",
        realtime_factor=123.4,
        memory_mb=5.0,
        loudness_lufs=-21.0,
    )


def stocked(store: Store, name: str, data: bytes | None = None, at: float = NOON) -> Entry:
    """Bring a model into a store as a copy that was judged."""
    data = name.encode() * 40 if data is None else data
    copy = store.private()
    copy.write_bytes(data)
    return store.add(copy, f"{name}-file.latent", verdict_of(data, name), at)


def played(store: Store, pointer: Pointer | None, base: str = "default") -> Choice:
    """Choose a model, and let it be heard for long."""
    store.choose(pointer, base)
    return store.note(lambda choice: choice.model_copy(update={"probation": None}))


def pointed(entry: Entry) -> Pointer:
    return Pointer(digest=entry.digest, name=entry.verdict.name)
