"""Networks that no room should hear: each makes the `decoder.onnx` of a bad model."""

import itertools
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper
from small_model import PLACES, corpus, decoder, network, notes

from appliance.spectrum import codec

__all__ = [
    "chance",
    "claims",
    "edited",
    "flow",
    "grown",
    "heavy",
    "mixed",
    "narrow",
    "noise",
    "outer",
    "outside",
    "outside_elsewhere",
    "renamed",
    "scaled",
    "shared",
    "trained",
    "weights",
    "whistle",
]


def edited(edit: Callable[[onnx.ModelProto], object]) -> Callable[[], onnx.ModelProto]:
    def make() -> onnx.ModelProto:
        model = decoder()
        edit(model)
        return model

    return make


def weights(value: float) -> Callable[[], onnx.ModelProto]:
    def make() -> onnx.ModelProto:
        spectra = corpus()[1].copy()
        spectra[7, 100] = value
        return decoder(spectra=spectra)

    return make


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[2]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def outside_elsewhere(model: onnx.ModelProto) -> None:
    """Weights that are said to lie outside, without the key that says where."""
    model.graph.initializer[2].data_location = TensorProto.EXTERNAL


def flow(op: str) -> Callable[[], onnx.ModelProto]:
    """A branch or a loop without end."""

    def make() -> onnx.ModelProto:
        same = helper.make_node("Identity", ["plain"], ["inner"])
        spectrum = helper.make_tensor_value_info("inner", TensorProto.FLOAT, ["n", codec.BINS])
        if op == "If":
            body = helper.make_graph([same], "body", [], [spectrum])
            return decoder(
                (helper.make_node("If", ["yes"], ["spectrum"], then_branch=body, else_branch=body),),
                {"yes": np.array(True)},
            )
        turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
        on = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
        body = helper.make_graph([same, helper.make_node("Identity", ["on"], ["off"])], "body", [turn, on], [])
        body.output.extend([helper.make_tensor_value_info("off", TensorProto.BOOL, []), spectrum])
        return decoder(
            (
                helper.make_node("Loop", ["many", "yes"], ["laps"], body=body),
                helper.make_node("Identity", ["plain"], ["spectrum"]),
            ),
            {"yes": np.array(True), "many": np.array(2**62)},
        )

    return make


def shared(source: str, function: bool = False) -> Callable[[], onnx.ModelProto]:
    """A last node that is called as one likes."""
    domain, _, op = source.rpartition(".")

    def make() -> onnx.ModelProto:
        opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
        model = decoder((helper.make_node(op, ["plain"], ["spectrum"], domain=domain),), opset_imports=opsets)
        if function:
            body = [helper.make_node("Identity", ["x"], ["y"])]
            model.functions.append(helper.make_function(domain, op, ["x"], ["y"], body, [helper.make_opsetid("", 17)]))
            del model.opset_import[1]
        return model

    return make


def grown(constant: bool) -> Callable[[], onnx.ModelProto]:
    """A tensor of 10 GB, or one as large as what is heard would have it."""

    def make() -> onnx.ModelProto:
        if constant:
            size = [helper.make_node("ConstantOfShape", ["huge"], ["many"])]
        else:
            size = [
                helper.make_node("ReduceMax", ["z"], ["top"], keepdims=0),
                helper.make_node("Cast", ["top"], ["whole"], to=TensorProto.INT64),
                helper.make_node("Reshape", ["whole", "one"], ["shape"]),
                helper.make_node("ConstantOfShape", ["shape"], ["many"]),
            ]
        nodes = (
            *size,
            helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0),
            helper.make_node("Add", ["plain", "sum"], ["spectrum"]),
        )
        return decoder(nodes, {"huge": np.array([2_500_000_000]), "one": np.array([1])})

    return make


def outer() -> onnx.ModelProto:
    """Every value of every place, said four times, by every other: 600 MB for 96 rows, of which no shape tells."""
    nodes = (
        helper.make_node("Concat", ["z"] * 4, ["wide"], axis=1),
        helper.make_node("Reshape", ["wide", "tall"], ["column"]),
        helper.make_node("Reshape", ["wide", "flat"], ["row"]),
        helper.make_node("MatMul", ["column", "row"], ["all"]),
        helper.make_node("ReduceMean", ["all"], ["mean"], axes=[0, 1], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["none"]),
        helper.make_node("Add", ["plain", "none"], ["spectrum"]),
    )
    return decoder(
        nodes, {"tall": np.array([-1, 1]), "flat": np.array([1, -1]), "nothing": np.array(0.0, dtype=np.float32)}
    )


def heavy(turns: int) -> onnx.ModelProto:
    """The same large product over and over: legal, and without end in sight."""
    turn = np.linalg.qr(np.random.default_rng(4).standard_normal((1233, 1233)))[0].astype(np.float32)
    names = ["plain", *(f"turn{number}" for number in range(turns))]
    nodes = [helper.make_node("MatMul", [one, "turn"], [two]) for one, two in itertools.pairwise(names)]
    nodes += [
        helper.make_node("Mul", [names[-1], "nothing"], ["none"]),
        helper.make_node("Add", ["plain", "none"], ["spectrum"]),
    ]
    return decoder(tuple(nodes), {"turn": turn, "nothing": np.array(0.0, dtype=np.float32)})


def scaled(factor: float, offset: float) -> Callable[[], onnx.ModelProto]:
    nodes = (
        helper.make_node("Mul", ["plain", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["spectrum"]),
    )
    numbers = {"factor": np.array(factor, dtype=np.float32), "offset": np.array(offset, dtype=np.float32)}
    return lambda: decoder(nodes, numbers)


def noise() -> onnx.ModelProto:
    hiss = np.random.default_rng(5).uniform(0.8, 1.0, (PLACES, codec.BINS))
    return decoder(spectra=hiss)


def whistle() -> onnx.ModelProto:
    rng = np.random.default_rng(6)
    highs = np.stack([notes([hz]) for hz in rng.uniform(7_000.0, 15_000.0, PLACES)])
    return decoder(spectra=np.where(codec.bin_hz() > 6_500.0, highs, 0.0))


def mixed() -> onnx.ModelProto:
    """What lies beside a sound shines through."""
    nodes = (
        helper.make_node("ReduceMean", ["plain"], ["usual"], axes=[0]),
        helper.make_node("Add", ["plain", "usual"], ["both"]),
        helper.make_node("Mul", ["both", "half"], ["spectrum"]),
    )
    return decoder(nodes, {"half": np.array(0.5, dtype=np.float32)})


def narrow() -> onnx.ModelProto:
    places, sounds = corpus()
    weights = {"near": np.ascontiguousarray(places.T), "sounds": np.ascontiguousarray(sounds[:, :1000])}
    nodes = [
        helper.make_node("MatMul", ["z", "near"], ["shares"]),
        helper.make_node("MatMul", ["shares", "sounds"], ["spectrum"]),
    ]
    return network(nodes, weights, ("z", 32, "spectrum", 1000))


def chance(op: str) -> Callable[[], onnx.ModelProto]:
    nodes = (helper.make_node(op, ["plain"], ["noise"]), helper.make_node("Max", ["plain", "noise"], ["spectrum"]))
    return lambda: decoder(nodes)


def trained() -> onnx.ModelProto:
    numbers = {"ratio": np.array(0.5, dtype=np.float32), "training": np.array(True)}
    return decoder((helper.make_node("Dropout", ["plain", "ratio", "training"], ["spectrum"]),), numbers)


def renamed(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "latent"
    model.graph.node[0].input[0] = "latent"


def claims(dims: list[int]) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.initializer[2].dims[:] = dims

    return edit
