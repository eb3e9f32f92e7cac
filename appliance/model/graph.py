"""What can be told of a network from its ONNX alone, before anything runs it.

`onnx` is slow to load and its parser reads what strangers wrote, so only the throwaway process that tries a model
imports this file.

A step of the engine must be pure and must end. So a network may have no loops, no branches and no chance in it, and
what it hears may not decide how large a tensor becomes: it would behave while it is tried and fail months later.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

from appliance.model.archive import ArchiveError

__all__ = ["check_graph"]

# What onnxruntime 1.18 plays, the oldest that the program runs on: so a laptop's verdict holds for every box.
_OPSETS: Final = (7, 21)
_NEWEST_IR: Final = 10
# The shipped decoders have 83 nodes.
_MOST_NODES: Final = 4096
# The largest tensor of a shipped decoder has 2048 places for each of 512 rows, a million values.
_MOST_VALUES: Final = 2**24
_ROWS: Final = 512
_STANDARD: Final = ("", "ai.onnx")
_RANDOM: Final = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
# Inputs, by number, that say how large the output is to be.
_SIZES: Final = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1,),
    "ConstantOfShape": (0,),
    "DFT": (1,),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Resize": (2, 3),
    "STFT": (1, 3),
    "Tile": (1,),
    "Upsample": (1,),
}
_EXPORT: Final = "export it anew"


def check_graph(content: bytes, member: str) -> None:
    """Check a network.

    Parameters
    ----------
    content : bytes
        ONNX.
    member : str
        What it is called in its file, for the sentence.

    Raises
    ------
    ArchiveError
        If it is malformed, too new or too large, or could do anything but compute the same every time.
    """
    try:
        model = onnx.load_model_from_string(content)
    # The parsers of protobuf have no root of their errors but Exception, here and below.
    except Exception as error:
        raise ArchiveError(f"holds {member} that is not ONNX", _EXPORT) from error
    _check_version(model, member)
    _check_nodes(model, member)
    _check_numbers(model, member)
    _check_sizes(model, member)
    try:
        checker.check_model(model, full_check=True)
        inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:
        raise ArchiveError(f"holds {member} that contradicts itself ({_first_line(error)})", _EXPORT) from error
    _check_tensors(inferred, member)


def _check_version(model: Any, member: str) -> None:
    for opset in model.opset_import:
        if opset.domain not in _STANDARD:
            raise ArchiveError(
                f"holds {member} with operators of {opset.domain[:60]!r} that are not standard",
                "export it with standard operators alone",
            )
        if not _OPSETS[0] <= opset.version <= _OPSETS[1]:
            raise ArchiveError(
                f"holds {member} of opset {opset.version} where {_OPSETS[0]} to {_OPSETS[1]} can be played",
                "export it with opset 17",
            )
    if not model.opset_import:
        raise ArchiveError(f"holds {member} that does not say its opset", "export it with opset 17")
    if model.ir_version > _NEWEST_IR:
        raise ArchiveError(
            f"holds {member} of IR version {model.ir_version} where up to {_NEWEST_IR} can be played",
            "export it with opset 17 and IR version 9",
        )
    if model.functions or model.training_info:
        raise ArchiveError(f"holds {member} with functions or training steps of its own", "export it without them")


def _check_nodes(model: Any, member: str) -> None:
    nodes = model.graph.node
    if len(nodes) > _MOST_NODES:
        raise ArchiveError(f"holds {member} of {len(nodes)} nodes where up to {_MOST_NODES} may be", "make it smaller")
    newest = max(opset.version for opset in model.opset_import)
    for node in nodes:
        named = f"{node.op_type[:60]!r}"
        if node.domain not in _STANDARD or not onnx.defs.has(node.op_type, newest, ""):
            raise ArchiveError(
                f"holds {member} with the operator {named}, which is not standard",
                "export it with standard operators alone",
            )
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ArchiveError(f"holds {member} with control flow ({named}), which may never end", "export it without")
        if node.op_type in _RANDOM or (node.op_type == "Dropout" and len(node.input) > 2):
            raise ArchiveError(
                f"holds {member} that leaves things to chance ({named}), so music could not be repeated",
                "export it for inference",
            )


def _check_numbers(model: Any, member: str) -> None:
    attributes = (attribute for node in model.graph.node for attribute in node.attribute)
    if model.graph.sparse_initializer or any(each.HasField("sparse_tensor") for each in attributes):
        raise ArchiveError(f"holds {member} with sparse weights", "export it with plain ones")
    for tensor in _tensors(model.graph):
        named = f"{tensor.name[:60]!r}"
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ArchiveError(f"keeps weights of {member} in another file, which is not allowed", _EXPORT)
        wanted = math.prod(tensor.dims)
        if min(tensor.dims, default=0) < 0 or wanted > _MOST_VALUES:
            raise ArchiveError(f"holds {member} whose {named} claims a size that cannot be", _EXPORT)
        # Before it is unpacked: the count is what a header says.
        if tensor.HasField("raw_data") and len(tensor.raw_data) != _bytes_of(tensor, wanted, member):
            raise ArchiveError(f"holds {member} whose {named} holds more or fewer values than it says", _EXPORT)
        try:
            values = numpy_helper.to_array(tensor)
        except Exception as error:
            raise ArchiveError(f"holds {member} whose {named} holds no such values as it says", _EXPORT) from error
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise ArchiveError(f"holds {member} with weights that are not numbers (NaN)", "train and export it anew")


def _bytes_of(tensor: Any, count: int, member: str) -> int:
    try:
        kind = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except Exception as error:
        raise ArchiveError(f"holds {member} with values of an unknown type", _EXPORT) from error
    packed = tensor.data_type in (TensorProto.INT4, TensorProto.UINT4)
    return (count + 1) // 2 if packed else count * int(kind.itemsize)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_sizes(model: Any, member: str) -> None:
    """See that no size depends on what is heard: follow the inputs through the graph, except through their shapes."""
    fixed = {tensor.name for tensor in model.graph.initializer}
    heard = {port.name for port in model.graph.input} - fixed
    for node in model.graph.node:
        sizes = [node.input[place] for place in _SIZES.get(node.op_type, ()) if place < len(node.input)]
        if heard.intersection(sizes):
            raise ArchiveError(
                f"holds {member} in which what is heard decides how much memory is taken ({node.op_type})",
                "export it with sizes that are fixed",
            )
        if node.op_type not in ("Shape", "Size") and heard.intersection(node.input):
            heard.update(name for name in node.output if name)


def _check_tensors(model: Any, member: str) -> None:
    graph = model.graph
    for value in [*graph.value_info, *graph.output]:
        if value.type.WhichOneof("value") != "tensor_type":
            raise ArchiveError(f"holds {member} that computes with something else than tensors", _EXPORT)
        sizes = value.type.tensor_type.shape.dim
        count = math.prod(size.dim_value if size.HasField("dim_value") else _ROWS for size in sizes[:1])
        count *= math.prod(size.dim_value if size.HasField("dim_value") else 1 for size in sizes[1:])
        if count > _MOST_VALUES:
            raise ArchiveError(f"holds {member} with a tensor of {count} values, which takes too much memory", _EXPORT)


def _first_line(error: Exception) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return "".join(each if each.isprintable() else " " for each in text[:120])
