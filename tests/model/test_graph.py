"""What a network may be is told from its ONNX: it computes the same every time, in so much memory, and ends."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.model.archive import ArchiveError
from appliance.model.bundle import read
from appliance.model.graph import check_graph

SHIPPED = sorted((Path(__file__).parents[2] / "models").glob("*.latent"))


def network(nodes: list[onnx.NodeProto], **weights: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def refusal(model: onnx.ModelProto) -> str:
    with pytest.raises(ArchiveError) as caught:
        check_graph(model.SerializeToString(), "decoder.onnx")
    assert str(caught.value).startswith("holds decoder.onnx")
    assert caught.value.whole
    return str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_networks_pass(path: Path) -> None:
    parts = read(path).parts

    check_graph(parts.decoder, "decoder.onnx")
    check_graph(parts.encoder, "encoder.onnx")


def test_there_are_shipped_networks() -> None:
    assert len(SHIPPED) >= 3


def test_a_size_may_follow_from_shapes() -> None:
    nodes = [
        helper.make_node("Shape", ["z"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["nothing"]),
        helper.make_node("Add", ["z", "nothing"], ["y"]),
    ]

    check_graph(network(nodes).SerializeToString(), "decoder.onnx")


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Expand", ["z", "size"]),
        ("Tile", ["z", "size"]),
        ("Pad", ["z", "size"]),
        ("Range", ["zero", "top", "one"]),
        ("OneHot", ["z", "size", "two"]),
    ],
)
def test_a_size_may_not_follow_from_what_is_heard(op: str, inputs: list[str]) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["z"], ["top"], keepdims=0),
        helper.make_node("Cast", ["top"], ["size"], to=TensorProto.INT64),
        helper.make_node(op, inputs, ["y"]),
    ]
    fixed = {"zero": np.float32(0.0), "one": np.float32(1.0), "two": np.zeros(2, dtype=np.float32)}

    weights = {name: np.asarray(value) for name, value in fixed.items() if name in inputs}

    assert f"decides how much memory is taken ({op})" in refusal(network(nodes, **weights))


def hidden_in_a_constant(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.full(32, np.nan, dtype=np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["unused"], value=tensor))


def sparse(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, dtype=np.float32), "few")
    places = numpy_helper.from_array(np.zeros(1, dtype=np.int64), "where")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2**40]))


def sparse_in_a_constant(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, dtype=np.float32), "few")
    places = numpy_helper.from_array(np.zeros(1, dtype=np.int64), "where")
    few = helper.make_sparse_tensor(values, places, [2**40])
    model.graph.node.insert(0, helper.make_node("Constant", [], ["unused"], sparse_value=few))


def of_no_type(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="odd", data_type=99, dims=[1], raw_data=b"1234"))


def fewer_floats(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="odd", data_type=1, dims=[4], float_data=[1.0]))


def a_circle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


def a_crowd(model: onnx.ModelProto) -> None:
    model.graph.node.extend([model.graph.node[0]] * 5000)


def trained(model: onnx.ModelProto) -> None:
    model.training_info.add()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (hidden_in_a_constant, "NaN"),
        (sparse, "sparse"),
        (sparse_in_a_constant, "sparse"),
        (of_no_type, "values of an unknown type"),
        (fewer_floats, "holds no such values"),
        (a_circle, "contradicts itself"),
        (a_crowd, "5001 nodes"),
        (trained, "training steps"),
    ],
)
def test_what_a_network_may_not_hold(edit: Callable[[onnx.ModelProto], None], says: str) -> None:
    model = network([helper.make_node("Identity", ["z"], ["y"])])
    check_graph(model.SerializeToString(), "decoder.onnx")

    edit(model)

    assert says in refusal(model)


def test_a_complaint_of_the_checker_is_one_short_line() -> None:
    model = network([helper.make_node("Identity", ["no\nsuch\x1bname" * 50], ["y"])])

    sentence = refusal(model)

    assert sentence.isprintable()
    assert len(sentence) < 200
