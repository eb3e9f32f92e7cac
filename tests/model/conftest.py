"""A whole model in a few hundred kilobytes: a sigmoid over one matrix each way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.model.bundle import Manifest, Parts, Statistics, write

MakeOnnx = Callable[..., bytes]


def _make_onnx(
    weights: np.ndarray, source: str, sink: str, *, op: str = "Sigmoid", edit: Callable[[onnx.ModelProto], None] = id
) -> bytes:
    wide, high = weights.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", [source, "weights"], ["sum"]), helper.make_node(op, ["sum"], [sink])],
        "tiny",
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, ["n", wide])],
        [helper.make_tensor_value_info(sink, TensorProto.FLOAT, ["n", high])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    edit(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def make_onnx() -> MakeOnnx:
    return _make_onnx


@pytest.fixture(scope="session")
def weights() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((32, 1233)).astype(np.float32) * np.float32(0.1)


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return Manifest(
        name="tiny",
        licence="MIT",
        author="the tests",
        created="2025-01-01",
        directions={"pitch": [1.0] + [0.0] * 31},
        pca_axes=np.eye(32)[:4].tolist(),
        pca_scale=[2.0, 1.0, 0.5, 0.25],
        statistics=Statistics(
            wiggle_speed=0.5, trait_mean={"pitch": 8.5}, trait_sd={"pitch": 1.0}, scores={"rms": 6.0}
        ),
    )


@pytest.fixture(scope="session")
def parts(weights: np.ndarray) -> Parts:
    latents = np.random.default_rng(2).standard_normal((4, 32)).astype(np.float32)
    return Parts(
        decoder=_make_onnx(weights, "z", "spectrum"),
        decoder_fp32=_make_onnx(weights, "z", "spectrum"),
        encoder=_make_onnx(weights.T, "spectrum", "mean"),
        atlas=np.random.default_rng(3).standard_normal((6, 32)).astype(np.float32),
        golden_latents=latents,
        golden_spectra=(1.0 / (1.0 + np.exp(-latents @ weights))).astype(np.float32),
        golden_tolerance_db=0.5,
        card="# Tiny\n",
    )


@pytest.fixture
def bundle_path(tmp_path: Path, manifest: Manifest, parts: Parts) -> Path:
    path = tmp_path / "tiny.latent"
    write(path, manifest, parts)
    return path
