"""The networks as ONNX graphs, written node by node, in float32 and in int8.

int8 here is static: activations are scaled by what calibration found, so that a row's result never depends on
the rows beside it. Weights have one scale per output and seven bits, because x86 without VNNI adds two
products in 16 bits and would saturate with eight (onnxruntime's documentation on quantization, "U8S8").
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from appliance.spectrum.codec import BINS, FLOOR_DB, Floats
from appliance.studio.exporting.atlas import BELOW_TOP, DETAIL_STEP_DB, NEPERS, TOP, LendingDecoder
from appliance.studio.training.net import GAIN, LATENT, Block, Encoder

__all__ = ["Calibration", "calibrate", "decoder_onnx", "encoder_onnx"]

_OPSET = 17
_WEIGHT_STEPS = 63
_ACTIVATION_STEPS = 255
# So many float32 values the widest processors work on at once.
_VECTOR = 16
# Nearly all of the decoder's weights are in these two, and what they read is never negative.
_INT8_LAYERS = ("widen", "leave")


@dataclass(frozen=True)
class Calibration:
    """What an int8 layer reads: the step of its activations, and their second moments (in, in)."""

    scale: float
    moments: npt.NDArray[np.float64]


class _Graph:
    """Nodes and constants, collected in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=dtype), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; gives its name."""
        return self.add_many(1, kind, *inputs, **attributes)[0]

    def add_many(self, outputs: int, kind: str, *inputs: str, **attributes: Any) -> list[str]:
        names = [f"{kind}{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def columns(self, x: str, first: int, end: int) -> str:
        """Those columns of a matrix from ``first`` to before ``end``."""
        return self.add("Slice", x, *(self.constant([value], np.int64) for value in (first, end, 1)))

    def linear(self, x: str, weight: Floats, bias: Floats) -> str:
        return self.add("Gemm", x, self.constant(weight.T), self.constant(bias))

    def linear_kept(self, x: str, weight: Floats, bias: Floats) -> str:
        """The same, its weights kept in the file as int8; the runtime makes them float32 when it loads."""
        steps = np.maximum(np.abs(weight).max(axis=1) / 127.0, 1e-9)  # (out,)
        whole = self.constant(np.round(weight / steps[:, np.newaxis]).T, np.int8)
        kept = self.add("Mul", self.add("Cast", whole, to=TensorProto.FLOAT), self.constant(steps))
        return self.add("Gemm", x, kept, self.constant(bias))

    def linear_int8(self, x: str, weight: Floats, bias: Floats, seen: Calibration) -> str:
        """The same with whole numbers; ``x`` is at least 0."""
        steps = np.maximum(np.abs(weight).max(axis=1) / _WEIGHT_STEPS, 1e-9)  # (out,)
        whole = _rounded(weight, steps, seen.moments)
        quantised = self.add("QuantizeLinear", x, self.constant(seen.scale), self.constant(0, np.uint8))
        product = self.add("MatMulInteger", quantised, self.constant(whole.T, np.int8))
        scaled = self.add("Mul", self.add("Cast", product, to=TensorProto.FLOAT), self.constant(steps * seen.scale))
        return self.add("Add", scaled, self.constant(bias))

    def finish(self, source: tuple[str, int], sink: tuple[str, int], result: str) -> bytes:
        self.nodes.append(helper.make_node("Identity", [result], [sink[0]]))
        graph = helper.make_graph(
            self.nodes,
            "latent",
            [helper.make_tensor_value_info(source[0], TensorProto.FLOAT, ["n", source[1]])],
            [helper.make_tensor_value_info(sink[0], TensorProto.FLOAT, ["n", sink[1]])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def calibrate(model: LendingDecoder, z: Tensor) -> dict[str, Calibration]:
    """See what each int8 layer reads over these latents (n, 32), and find the step that loses least of it.

    Cutting off the largest values costs less than coarse steps for all the others; how much to cut is tried.
    """
    found = {}
    for name in _INT8_LAYERS:
        seen: list[Tensor] = []
        hook = getattr(model.decoder, name).register_forward_pre_hook(lambda _, x, seen=seen: seen.append(x[0]))
        with torch.no_grad():
            model.decoder(z)
        hook.remove()
        inputs = _numpy(seen[0])  # (n, in)

        def loss(scale: float, x: Floats = inputs) -> float:
            return float(np.square(np.clip(np.round(x / scale), 0, _ACTIVATION_STEPS) * scale - x).mean())

        top = float(inputs.max())
        scale = min((top * share / _ACTIVATION_STEPS for share in np.linspace(0.3, 1.0, 29)), key=loss)
        wide = inputs.astype(np.float64)
        found[name] = Calibration(scale, wide.T @ wide / len(wide))
    return found


def decoder_onnx(model: LendingDecoder, seen: dict[str, Calibration] | None) -> bytes:
    """Write the decoder, detail lending included; in int8 where what its layers read was ``seen``, else in float32.

    Input ``z`` float32 (n, 32), output ``spectrum`` float32 (n, 1233) in 0..1. The detail is kept as int8 in
    both.
    """
    graph = _Graph()
    network = model.decoder
    widen = _layer(network.widen)
    weight, bias = _layer(network.leave)
    leave = weight * GAIN, bias * GAIN + _numpy(network.centre)
    small = graph.linear_kept if seen else graph.linear
    hidden = small("z", *_layer(network.enter))
    for block in network.blocks:
        if isinstance(block, Block):
            hidden = _block(graph, hidden, block, small)
    hidden = graph.add("Relu", hidden)
    if seen:
        hidden = graph.add("Relu", graph.linear_int8(hidden, *widen, seen["widen"]))
        smooth = graph.linear_int8(hidden, *leave, seen["leave"])
    else:
        smooth = graph.linear(graph.add("Relu", graph.linear(hidden, *widen)), *leave)
    straight = graph.add("MatMul", "z", graph.constant(_numpy(network.straight.weight).T))
    total = graph.add("Add", graph.add("Add", smooth, straight), _lent(graph, model))
    low, high = graph.constant(0.0), graph.constant(1.0)
    out = graph.add("Clip", _topped(graph, total), low, high)
    out = graph.add("Clip", graph.add("Sub", out, _excess(graph, out, model.loudest)), low, high)
    return graph.finish(("z", LATENT), ("spectrum", BINS), out)


def _topped(graph: _Graph, spectra: str) -> str:
    """What `topped` makes of spectra, (n, 1233)."""
    rest, top = graph.columns(spectra, 0, TOP.start), graph.columns(spectra, TOP.start, BINS)
    lid = graph.add("ReduceMax", graph.columns(spectra, BELOW_TOP.start, BELOW_TOP.stop), axes=[1], keepdims=1)
    return graph.add("Concat", rest, graph.add("Min", top, lid), axis=1)


def _excess(graph: _Graph, spectra: str, loudest: float) -> str:
    """By how much the power of spectra exceeds the loudest place, as a value, (n, 1)."""
    nepers = graph.constant(NEPERS)
    power = graph.add("Exp", graph.add("Mul", graph.add("Sub", spectra, graph.constant(1.0)), nepers))
    # ReduceSum adds in an order that depends on where in memory a row begins, and single values are rounded otherwise
    # than those in a whole vector: a product with ones, as many as a vector holds, gives every row the same bits.
    one = numpy_helper.from_array(np.ones(1, dtype=np.float32))
    ones = graph.add("ConstantOfShape", graph.constant([BINS, _VECTOR], np.int64), value=one)
    total = graph.add("Log", graph.add("MatMul", power, ones))
    excess = graph.add("Relu", graph.add("Sub", graph.add("Div", total, nepers), graph.constant(loudest - 1.0)))
    return graph.columns(excess, 0, 1)


def encoder_onnx(encoder: Encoder) -> bytes:
    """Write the encoder's mean, its weights kept as int8 with one scale per output and multiplied in float32.

    Input ``spectrum`` float32 (n, 1233), output ``mean`` float32 (n, 32).
    """
    graph = _Graph()
    off = graph.add("Sub", "spectrum", graph.constant(_numpy(encoder.centre)))
    straight = graph.add("MatMul", off, graph.constant(_numpy(encoder.straight.weight).T))
    x = graph.add("Mul", off, graph.constant(4.0))
    layers = [layer for layer in encoder.layers if isinstance(layer, nn.Linear)]
    for layer in layers[:-1]:
        x = _gelu(graph, graph.linear_kept(x, *_layer(layer)))
    weight, bias = _layer(layers[-1])
    x = graph.linear_kept(x, weight[:LATENT], bias[:LATENT])  # the rest is the variance
    return graph.finish(("spectrum", BINS), ("mean", LATENT), graph.add("Add", x, straight))


def _block(graph: _Graph, x: str, block: Block, linear: Callable[[str, Floats, Floats], str]) -> str:
    norm = block.norm
    normed = graph.add(
        "LayerNormalization",
        x,
        graph.constant(_numpy(norm.weight)),
        graph.constant(_numpy(norm.bias)),
        epsilon=norm.eps,
    )
    inner = graph.add("Relu", linear(normed, *_layer(block.first)))
    return graph.add("Add", x, linear(inner, *_layer(block.second)))


def _lent(graph: _Graph, model: LendingDecoder) -> str:
    """What `LendingDecoder.forward` adds to the network's output, (n, 1233)."""
    places, settings = _numpy(model.places), model.settings
    # The square of z itself is the same for all places, so it is added only to those that are left.
    cross = graph.linear("z", -2.0 * places, (places**2).sum(axis=1))
    count = graph.constant([settings.neighbours], np.int64)
    left, index = graph.add_many(2, "TopK", cross, count, axis=1, largest=0, sorted=1)
    own = graph.add("ReduceSumSquare", "z", axes=[1], keepdims=1)
    near = graph.add("Max", graph.add("Add", left, own), graph.constant(0.0))
    rows = graph.constant([1], np.int64)
    nearest_squared = graph.columns(near, 0, 1)
    softened = graph.add("Add", near, graph.constant(1e-2))
    nearest = graph.add("Add", nearest_squared, graph.constant(1e-2))
    weight = graph.add("Pow", graph.add("Div", nearest, softened), graph.constant(settings.sharpness))
    weight = graph.add("Sub", weight, graph.columns(weight, settings.neighbours - 1, settings.neighbours))
    total = graph.add("Add", graph.add("ReduceSum", weight, rows, keepdims=1), graph.constant(1e-6))
    fade = graph.add("Exp", graph.add("Mul", nearest_squared, graph.constant(-1.0 / model.reach**2)))
    fade = graph.add("Mul", fade, graph.constant(DETAIL_STEP_DB / -FLOOR_DB))
    weight = graph.add("Mul", graph.add("Div", weight, total), fade)
    weight = graph.add("Unsqueeze", weight, rows)  # (n, 1, k)
    detail = graph.add("Gather", graph.constant(_numpy(model.detail), np.int8), index, axis=0)  # (n, k, 1233)
    lent = graph.add("MatMul", weight, graph.add("Cast", detail, to=TensorProto.FLOAT))
    return graph.add("Squeeze", lent, rows)


def _gelu(graph: _Graph, x: str) -> str:
    half = graph.add("Mul", x, graph.constant(0.5))
    bell = graph.add("Erf", graph.add("Mul", x, graph.constant(np.sqrt(0.5))))
    return graph.add("Mul", half, graph.add("Add", bell, graph.constant(1.0)))


def _rounded(weight: Floats, steps: Floats, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round weights (out, in) to whole steps one input at a time, each error made good by those still to come.

    E. Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers" (2022),
    equations 2 and 3 with the Cholesky form of its algorithm 1. Halves the error of plain rounding here.
    """
    left = weight.astype(np.float64)
    damped = moments + 0.01 * moments.trace() / len(moments) * np.eye(len(moments))
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    whole = np.zeros_like(left)
    for column in range(left.shape[1]):
        whole[:, column] = np.clip(np.round(left[:, column] / steps), -_WEIGHT_STEPS, _WEIGHT_STEPS)
        error = (left[:, column] - whole[:, column] * steps) / factor[column, column]
        left[:, column:] -= error[:, np.newaxis] * factor[column, column:]
    return whole


def _layer(layer: nn.Linear) -> tuple[Floats, Floats]:
    """Weights (out, in) and biases (out,)."""
    return _numpy(layer.weight), _numpy(layer.bias)


def _numpy(value: Tensor) -> Floats:
    return value.detach().numpy().astype(np.float32)
