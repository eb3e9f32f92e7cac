"""A small model that is played like any other, for tests to take apart."""

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from appliance.model import archive
from appliance.model.bundle import Manifest, Parts, Statistics, write
from appliance.spectrum import codec
from appliance.studio.exporting import motion

__all__ = [
    "PLACES",
    "Members",
    "corpus",
    "decode",
    "decoder",
    "good",
    "good_bytes",
    "members_of",
    "network",
    "notes",
    "sealed",
    "unzipped",
]

PLACES = 96

Members = dict[str, bytes]


def good(folder: Path) -> Path:
    """Write a small model that is played: chords at 96 places, blended by nearness."""
    path = folder / "good.latent"
    path.write_bytes(good_bytes())
    return path


def notes(hz: Iterable[float]) -> codec.Floats:
    bins, level_db = np.arange(codec.BINS), np.full(codec.BINS, -80.0)
    for fundamental in hz:
        for number in range(1, 9):
            centre = 1232 + 120 * np.log2(fundamental * number / codec.TOP_HZ)
            level_db = np.maximum(level_db, -26.0 - 6.0 * np.log2(number) - 4.0 * (bins - centre) ** 2)
    return codec.from_decibels(level_db)


@lru_cache(maxsize=1)
def corpus() -> tuple[codec.Floats, codec.Floats]:
    """Places (96, 32) and what sounds there (96, 1233)."""
    rng = np.random.default_rng(0)
    roots = 55.0 * 2.0 ** (rng.integers(0, 36, PLACES) / 12.0)
    chords = [root * 2.0 ** (rng.choice([0, 4, 7, 12, 14, 19], 3, replace=False) / 12.0) for root in roots]
    return rng.standard_normal((PLACES, 32)).astype(np.float32), np.stack([notes(chord) for chord in chords])


def network(
    nodes: list[Any], weights: dict[str, np.ndarray], ports: tuple[str, int, str, int], **kwargs: Any
) -> onnx.ModelProto:
    source, wide, sink, high = ports
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, ["n", wide])],
        [helper.make_tensor_value_info(sink, TensorProto.FLOAT, ["n", high])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, **{"opset_imports": [helper.make_opsetid("", 17)], "ir_version": 9, **kwargs})


def decoder(
    last: tuple[Any, ...] = (),
    extra: dict[str, np.ndarray] | None = None,
    spectra: np.ndarray | None = None,
    **kwargs: Any,
) -> onnx.ModelProto:
    """The good decoder, whose output goes through more nodes where there are any: they make `spectrum` of `plain`."""
    places, sounds = corpus()
    weights = {
        "near": np.ascontiguousarray(places.T / 3.0),
        "far": -(places**2).sum(axis=1) / 6.0,
        "sounds": (sounds if spectra is None else spectra).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["z", "near", "far"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"]),
        helper.make_node("MatMul", ["shares", "sounds"], ["plain" if last else "spectrum"]),
        *last,
    ]
    return network(nodes, weights | (extra or {}), ("z", 32, "spectrum", codec.BINS), **kwargs)


def decode(latents: codec.Floats) -> codec.Floats:
    places, sounds = corpus()
    scores = latents @ places.T / np.float32(3.0) - (places**2).sum(axis=1) / np.float32(6.0)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray((shares / shares.sum(axis=1, keepdims=True)) @ sounds, dtype=np.float32)


def _encoder() -> onnx.ModelProto:
    weights = np.random.default_rng(2).standard_normal((codec.BINS, 32)).astype(np.float32) / np.float32(40.0)
    node = helper.make_node("MatMul", ["spectrum", "weights"], ["mean"])
    return network([node], {"weights": weights}, ("spectrum", codec.BINS, "mean", 32))


@lru_cache(maxsize=1)
def good_bytes() -> bytes:
    places, _ = corpus()
    axes, scale = motion.principal_axes(places)
    values = motion.trait_values(places, decode(places))
    golden = np.random.default_rng(3).standard_normal((8, 32)).astype(np.float32)
    # Along this, as a regression has it, the pitch rises by one standard deviation.
    way = np.linalg.lstsq(places, values["pitch"] - values["pitch"].mean(), rcond=None)[0]
    way *= values["pitch"].std() / np.mean(
        motion.trait_values(places, decode(places + way / 2))["pitch"]
        - motion.trait_values(places, decode(places - way / 2))["pitch"]
    )
    manifest = Manifest(
        name="small",
        licence="MIT",
        author="the tests",
        created="2025-01-01",
        directions={"pitch": way.tolist()},
        pca_axes=axes.tolist(),
        pca_scale=scale.tolist(),
        statistics=Statistics(
            wiggle_speed=motion.wiggle_speed(places, axes, scale, decode),
            trait_mean={name: float(of.mean()) for name, of in values.items()},
            trait_sd={name: float(of.std()) for name, of in values.items()},
            scores={},
        ),
    )
    network = decoder().SerializeToString()
    parts = Parts(network, network, _encoder().SerializeToString(), places, golden, decode(golden), 0.1, "# Small\n")
    with tempfile.TemporaryDirectory() as folder:
        return Path(write(Path(folder) / "good.latent", manifest, parts).path).read_bytes()


def members_of(path: Path) -> Members:
    """Unzip a file."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def sealed(members: Members) -> bytes:
    """Zip the members with a manifest whose sizes and checksums are right, as somebody who means harm would."""
    page = json.loads(members["manifest.json"])
    page["members"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in members.items()
        if name != "manifest.json"
    }
    return archive.pack({**members, "manifest.json": json.dumps(page).encode()})


def unzipped(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}
