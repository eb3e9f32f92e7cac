"""The networks run as promised, and one that cannot is refused before it plays."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from appliance.errors import ModelError
from appliance.model.bundle import Manifest, Parts, write
from appliance.model.decoder import Decoder, Encoder, open_decoder, open_encoder

MakeOnnx = Callable[..., bytes]


def some_latents(count: int) -> np.ndarray:
    return np.random.default_rng(4).standard_normal((count, 32)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_decodes_any_number(parts: Parts, weights: np.ndarray, count: int) -> None:
    z = some_latents(count)
    spectra = Decoder(parts.decoder).decode(z)
    assert spectra.dtype == np.float32
    np.testing.assert_allclose(spectra, 1.0 / (1.0 + np.exp(-z @ weights)), atol=1e-6)


def test_results_do_not_share_memory(parts: Parts) -> None:
    decoder = Decoder(parts.decoder)
    first = decoder.decode(some_latents(1))
    kept = first.copy()
    decoder.decode(some_latents(1) * 2)
    np.testing.assert_array_equal(first, kept)


def test_encodes(parts: Parts, weights: np.ndarray) -> None:
    spectra = np.random.default_rng(5).random((3, 1233), dtype=np.float32)
    latents = Encoder(parts.encoder).encode(spectra)
    np.testing.assert_allclose(latents, 1.0 / (1.0 + np.exp(-spectra @ weights.T)), atol=1e-5)


@pytest.mark.parametrize(
    "z",
    [
        np.zeros((1, 31), dtype=np.float32),
        np.zeros(32, dtype=np.float32),
        np.zeros((0, 32), dtype=np.float32),
        np.zeros((1, 32)),
        np.full((1, 32), np.nan, dtype=np.float32),
    ],
)
def test_latents_that_cannot_be(parts: Parts, z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="z "):
        Decoder(parts.decoder).decode(z)


def test_bytes_that_are_no_network() -> None:
    for content in (b"", b"no network", b"\x00" * 64, b"0000ORTM" + bytes(64)):
        with pytest.raises(ModelError, match="The int8 decoder cannot be loaded"):
            Decoder(content)


@pytest.mark.parametrize(
    ("source", "sink", "shape", "op", "says"),
    [
        ("x", "spectrum", (32, 1233), "Sigmoid", r"input of the int8 decoder is not one float32 \(n, 32\) named z"),
        ("z", "y", (32, 1233), "Sigmoid", "output of the int8 decoder is not one"),
        ("z", "spectrum", (31, 1233), "Sigmoid", "input of the int8 decoder is 31 wide where 32 belong"),
        ("z", "spectrum", (32, 1232), "Sigmoid", "output of the int8 decoder is 1232 wide"),
        ("z", "spectrum", (32, 1233), "Log", "does not give 1 x 1233 finite values"),
    ],
)
def test_networks_that_do_not_fit(
    make_onnx: MakeOnnx, source: str, sink: str, shape: tuple[int, int], op: str, says: str
) -> None:
    content = make_onnx(np.full(shape, 0.1, dtype=np.float32), source, sink, op=op)
    with pytest.raises(ModelError, match=says):
        Decoder(content)


def test_opens_the_int8_decoder_first(bundle_path: Path, manifest: Manifest, parts: Parts) -> None:
    opened = open_decoder(write(bundle_path, manifest, parts))
    assert opened.precision == "int8"
    np.testing.assert_allclose(opened.decode(parts.golden_latents), parts.golden_spectra, atol=1e-5)


def test_falls_back_to_float32(
    bundle_path: Path, manifest: Manifest, parts: Parts, make_onnx: MakeOnnx, weights: np.ndarray
) -> None:
    spoilt = make_onnx(weights + np.float32(0.05), "z", "spectrum")
    for decoder in (spoilt, b"no network"):
        bundle = write(bundle_path, manifest, dataclasses.replace(parts, decoder=decoder))
        assert open_decoder(bundle).precision == "fp32"


@pytest.mark.parametrize("reachable", [True, False])
def test_a_graphics_processor_is_used_where_it_can_be(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    asked: list[list[str]] = []

    class Session(onnxruntime.InferenceSession):
        """As of a package that was built for CUDA; what it computes, the processor does."""

        def __init__(self, content: bytes, options: Any, *, providers: list[Any], **others: Any) -> None:
            asked.append([each if isinstance(each, str) else each[0] for each in providers])
            if asked[-1][0] != "CPUExecutionProvider" and not reachable:
                raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")
            super().__init__(content, options, providers=["CPUExecutionProvider"])

    offered = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    told = pytest.warns(RuntimeWarning, match="does its work .CUDA failure 100")
    with contextlib.nullcontext() if reachable else told:
        decoder = Decoder(parts.decoder)

    assert asked == [offered[1:]] + ([] if reachable else [offered[2:]])
    np.testing.assert_allclose(decoder.decode(parts.golden_latents), parts.golden_spectra, atol=1e-5)


def test_golden_difference_is_in_decibels(bundle_path: Path, manifest: Manifest, parts: Parts) -> None:
    """Spectra all 0.01 off are 0.96 dB off: right at a tolerance of 0.97, wrong at 0.95."""
    shifted = dataclasses.replace(parts, golden_spectra=parts.golden_spectra + np.float32(0.01))
    right = write(bundle_path, manifest, dataclasses.replace(shifted, golden_tolerance_db=0.97))
    assert open_decoder(right).precision == "int8"
    wrong = write(bundle_path, manifest, dataclasses.replace(shifted, golden_tolerance_db=0.95))
    with pytest.raises(ModelError, match=r"fp32 decoder is 0\.96 dB off its golden spectra where 0\.95 dB are allowed"):
        open_decoder(wrong)


def test_no_decoder_that_works(bundle_path: Path, manifest: Manifest, parts: Parts) -> None:
    bundle = write(bundle_path, manifest, dataclasses.replace(parts, decoder=b"no network", decoder_fp32=None))
    with pytest.raises(ModelError, match=r"tiny\.latent cannot be played on this machine: The int8 decoder cannot"):
        open_decoder(bundle)


def test_opens_the_encoder(bundle_path: Path, manifest: Manifest, parts: Parts) -> None:
    bundle = write(bundle_path, manifest, parts)
    assert open_encoder(bundle).encode(parts.golden_spectra).shape == (4, 32)
    broken = write(bundle_path, manifest, dataclasses.replace(parts, encoder=b"no network"))
    with pytest.raises(ModelError, match=r"tiny\.latent cannot encode"):
        open_encoder(broken)
