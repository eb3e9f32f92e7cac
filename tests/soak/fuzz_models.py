"""Good models, changed at random, by bytes or with sense and a right signature, come to a verdict and nothing else.

    python tests/soak/fuzz_models.py [--count 300] [--seed 7] [--keep FOLDER]

Each is tried as any model that is copied to the box. Prints how often each reason was given; ends with 1 and a sentence
for each thing that was wrong: an error instead of a verdict, a reason that is no sentence, a trial that outlasts its
limit, a file or a process left behind, memory that grows. What went wrong is kept.
"""

import argparse
import collections
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_model import good, members_of, sealed

from appliance.model.verdict import Verdict
from appliance.service.arriving.sandbox import memory_mb
from appliance.service.arriving.trial import TrialLimits, tried

__all__ = ["fuzz", "mutant"]

# Enough for the small model that all are made from, and short for what does not end.
LIMITS = TrialLimits(time_s=15.0)
# Between the end of the time and that of the process, on a busy machine.
_LATE_S = 10.0
_GROWN_MB = 60.0
_NUMBERS = (0.0, -1.0, 1e-30, 1e30, 1e308, float("nan"), float("inf"), 2.0**63, 7.0)

Members = dict[str, bytes]


def mutant(path: Path, rng: np.random.Generator) -> bytes:
    """Change a good file in one of many ways."""
    data = path.read_bytes()
    change = _CHANGES[rng.integers(len(_CHANGES))]
    return change(data, members_of(path), rng)


def fuzz(count: int, seed: int, keep: Path, limits: TrialLimits = LIMITS) -> tuple[collections.Counter[str], list[str]]:
    """Try so many; tells how often each reason was given, and what was wrong, a sentence each."""
    reasons: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = good(Path(folder))
        tried(path, "good.latent", limits)
        files, others, (before_mb, _) = _open_files(), _children(), memory_mb()
        for number in range(count):
            bad = Path(folder) / "fuzzed.latent"
            bad.write_bytes(mutant(path, np.random.default_rng((seed, number))))
            problem = _problem(bad, reasons, limits)
            if problem:
                wrong.append(f"Number {number} of seed {seed} {problem}.")
                bad.replace(keep / f"{seed}-{number}.latent")
        if _open_files() != files:
            wrong.append(f"{_open_files() - files} files were left open.")
        if left := set(_children()) - set(others):
            wrong.append(f"Processes were left behind: {sorted(left)}.")
        if memory_mb()[0] - before_mb > _GROWN_MB:
            wrong.append(f"Memory grew by {memory_mb()[0] - before_mb:.0f} MB.")
    return reasons, wrong


def _problem(path: Path, reasons: collections.Counter[str], limits: TrialLimits) -> str | None:
    """Try a file; tells what went wrong with the trial, not with the file."""
    began_s = time.monotonic()
    try:
        verdict = tried(path, "fuzzed.latent", limits)
    # Whatever it is, it is what we look for.
    except Exception as error:
        return f"raised {type(error).__name__} ({error})"
    reasons[_kind_of(verdict)] += 1
    if time.monotonic() - began_s > limits.time_s + _LATE_S:
        return f"took {time.monotonic() - began_s:.0f} s"
    if verdict.accepted:
        return None
    reason = verdict.reason
    if not reason.isprintable() or not reason.endswith(".") or "fuzzed.latent" not in reason or str(path) in reason:
        return f"was refused with what is no sentence: {reason!r}"
    return None


def _kind_of(verdict: Verdict) -> str:
    """A reason without what it quotes and counts."""
    if verdict.accepted:
        return "accepted"
    return re.sub(r"'[^']*'|\([^)]*\)|[-+.\d]+(e[-+]?\d+)?", "#", verdict.reason.removeprefix("fuzzed.latent "))[:110]


def _bytes(data: bytes, _: Members, rng: np.random.Generator) -> bytes:
    """A few bytes anywhere, or where the zip's own records are."""
    changed = bytearray(data)
    directory = data.rindex(b"PK\5\6") - 600
    for _ in range(rng.integers(1, 6)):
        first = int(rng.choice([0, directory, 0]))
        changed[rng.integers(first, len(data))] = rng.integers(256)
    return bytes(changed)


def _cut(data: bytes, _: Members, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data))]


def _spliced(data: bytes, _: Members, rng: np.random.Generator) -> bytes:
    """As a copy that was resumed at the wrong place."""
    one, two = sorted(rng.integers(len(data), size=2))
    return data[:two] + data[one:]


def _member_bytes(_: bytes, members: Members, rng: np.random.Generator) -> bytes:
    """A few bytes of a member, in order by the manifest."""
    name = str(rng.choice([each for each in members if each != "manifest.json"]))
    changed = bytearray(members[name])
    # The structure of ONNX and of arrays is at their ends; weights are between.
    near = rng.choice([len(changed), min(600, len(changed))])
    for _ in range(rng.integers(1, 5)):
        place = rng.integers(near)
        changed[place if rng.integers(2) else -1 - place] = rng.integers(256)
    return sealed({**members, name: bytes(changed)})


def _page(_: bytes, members: Members, rng: np.random.Generator) -> bytes:
    """A value of the manifest is another, or is missing."""
    page = json.loads(members["manifest.json"])
    holder: Any = page
    while True:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        if not keys:
            break
        key = keys[rng.integers(len(keys))]
        if isinstance(holder[key], dict | list) and rng.integers(4):
            holder = holder[key]
            continue
        others = [*_NUMBERS, None, "", "a\n" * 99, [], {}, [[]], True, holder[key]]
        if rng.integers(5):
            holder[key] = others[rng.integers(len(others))]
        else:
            del holder[key]
        break
    try:
        return sealed({**members, "manifest.json": json.dumps(page).encode()})
    except (TypeError, ValueError):
        return members["manifest.json"]


def _graph(_: bytes, members: Members, rng: np.random.Generator) -> bytes:
    """The decoder's graph with another operator, edge, size or number, golden spectra left as they are or not asked."""
    model = onnx.load_model_from_string(members["decoder.onnx"])
    graph = model.graph
    node = graph.node[rng.integers(len(graph.node))]
    names = [name for each in graph.node for name in (*each.input, *each.output)]
    what = rng.integers(6)
    if what == 0:
        node.op_type = str(rng.choice([each.name for each in onnx.defs.get_all_schemas()]))
    elif what == 1 and node.input:
        node.input[rng.integers(len(node.input))] = str(rng.choice(names))
    elif what == 2:
        tensor = graph.initializer[rng.integers(len(graph.initializer))]
        tensor.dims[rng.integers(len(tensor.dims))] = int(rng.choice([0, 1, 31, 2**31, 2**62]))
    elif what == 3:
        graph.initializer[rng.integers(len(graph.initializer))].data_type = int(rng.integers(0, 26))
    elif what == 4:
        graph.node.insert(int(rng.integers(len(graph.node))), node)
    else:
        model.opset_import[0].version = int(rng.integers(0, 30))
    changed = {**members, "decoder.onnx": model.SerializeToString()}
    if rng.integers(2):
        del changed["decoder.fp32.onnx"]
    return sealed(changed)


def _weights(_: bytes, members: Members, rng: np.random.Generator) -> bytes:
    """Weights that are larger, smaller, or partly something else; the decoder is the same in both precisions."""
    model = onnx.load_model_from_string(members["decoder.onnx"])
    tensor = model.graph.initializer[rng.integers(len(model.graph.initializer))]
    values = np.frombuffer(tensor.raw_data, dtype=np.float32).copy()
    values[rng.random(len(values)) < rng.choice([1e-3, 1.0])] *= np.float32(rng.choice([0.0, 1.01, 10.0, 1e30]))
    tensor.raw_data = values.tobytes()
    network = model.SerializeToString()
    return sealed({**members, "decoder.onnx": network, "decoder.fp32.onnx": network})


_CHANGES: tuple[Callable[[bytes, Members, np.random.Generator], bytes], ...] = (
    _bytes,
    _cut,
    _spliced,
    _member_bytes,
    _member_bytes,
    _page,
    _page,
    _graph,
    _graph,
    _weights,
)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


def main() -> int:
    """Run as the docstring of the file says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()))
    asked = parser.parse_args()
    began_s = time.monotonic()
    reasons, wrong = fuzz(asked.count, asked.seed, asked.keep)
    for reason, count in reasons.most_common():
        print(f"{count:5d}  {reason}")
    print(f"{asked.count} models in {time.monotonic() - began_s:.0f} s, {len(wrong)} problems")
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
