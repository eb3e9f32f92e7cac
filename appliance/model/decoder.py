"""The two networks of a model, run on onnxruntime; no other file imports it.

One thread and one call at a time: a decoder belongs to the thread that makes the sound. Outputs go through
`InferenceSession.run`; binding buffers instead was measured to save 2 us of 10 and is not worth its care.
"""

import os
import warnings
from typing import Any, Final, Literal

import numpy as np

# It would write a device id into the home folder and call its makers, which a box in a gallery has no business doing.
# It looks at this once, when it is imported; `disable_telemetry_events` does not stop it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort

from appliance.errors import ModelError
from appliance.model.bundle import Bundle
from appliance.model.manifest import LATENT_SIZE
from appliance.spectrum.codec import BINS, FLOOR_DB, Floats

__all__ = ["Decoder", "Encoder", "Precision", "open_decoder", "open_encoder"]

Precision = Literal["int8", "fp32"]
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"
_SILENT: Final = 4
# Matrix kernels take this many rows at once and treat the rest in another way, which rounds differently. Filled up to a
# multiple, a row's result does not depend on which others it came with, and music can be repeated bit for bit.
_ROWS: Final = 4


class _Network:
    """One input, one output, float32, any number of rows."""

    def __init__(self, onnx_bytes: bytes, role: str, source: tuple[str, int], sink: tuple[str, int]) -> None:
        self._role = role
        self._input, self._width = source
        self._outputs = [sink[0]]
        try:
            self._session = _session(onnx_bytes)
        # onnxruntime has no root of its errors but Exception.
        except Exception as error:
            raise ModelError(f"The {role} cannot be loaded ({_first_line(error)}); export the model anew.") from error
        _check_port(self._session.get_inputs(), f"input of the {role}", source)
        _check_port(self._session.get_outputs(), f"output of the {role}", sink)
        for count in (1, 2):
            trial = self._run(np.zeros((count, self._width), dtype=np.float32))
            if trial.shape != (count, sink[1]) or not np.isfinite(trial).all():
                raise ModelError(
                    f"The {role} does not give {count} x {sink[1]} finite values for {count} x {self._width}; "
                    "export the model anew."
                )

    def _run(self, rows: Floats) -> Floats:
        if rows.ndim != 2 or rows.shape[0] < 1 or rows.shape[1] != self._width or rows.dtype != np.float32:
            raise ValueError(f"{self._input} must be float32 (n, {self._width}), not {rows.dtype} {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"{self._input} holds values that are not finite")
        count = len(rows)
        if count % _ROWS:
            rows = np.concatenate([rows, np.zeros((-count % _ROWS, self._width), dtype=np.float32)])
        try:
            result: Floats = self._session.run(self._outputs, {self._input: rows})[0][:count]
        except Exception as error:
            raise ModelError(f"The {self._role} failed ({_first_line(error)}); export the model anew.") from error
        return result


class Decoder(_Network):
    """Latents to spectra.

    Parameters
    ----------
    onnx_bytes : bytes
        Input `z` float32 (n, 32), output `spectrum` float32 (n, 1233).
    precision : {"int8", "fp32"}
        Which of a model's decoders this is.

    Raises
    ------
    ModelError
        If onnxruntime refuses it, or its ends or outputs are not those.
    """

    def __init__(self, onnx_bytes: bytes, precision: Precision = "int8") -> None:
        super().__init__(onnx_bytes, f"{precision} decoder", ("z", LATENT_SIZE), ("spectrum", BINS))
        self._precision: Precision = precision

    @property
    def precision(self) -> Precision:
        """Which of the model's decoders this is."""
        return self._precision

    def decode(self, z: Floats) -> Floats:
        """Decode (n, 32) float32 latents to (n, 1233) float32 spectra; a little outside 0..1 is possible.

        Raises
        ------
        ValueError
            If `z` has another shape or type, no rows, or values that are not finite.
        """
        return self._run(z)


class Encoder(_Network):
    """Spectra to latents.

    Parameters
    ----------
    onnx_bytes : bytes
        Input `spectrum` float32 (n, 1233), output `mean` float32 (n, 32).

    Raises
    ------
    ModelError
        If onnxruntime refuses it, or its ends or outputs are not those.
    """

    def __init__(self, onnx_bytes: bytes) -> None:
        super().__init__(onnx_bytes, "encoder", ("spectrum", BINS), ("mean", LATENT_SIZE))

    def encode(self, spectrum: Floats) -> Floats:
        """Encode (n, 1233) float32 spectra to (n, 32) float32 latents.

        Raises
        ------
        ValueError
            If `spectrum` has another shape or type, no rows, or values that are not finite.
        """
        return self._run(spectrum)


def open_decoder(bundle: Bundle) -> Decoder:
    """Load the decoder of a model that gives its golden spectra on this machine, int8 before float32.

    Raises
    ------
    ModelError
        If none of them does; the sentence says how far off the last one is.
    """
    parts = bundle.parts
    candidates: list[tuple[Precision, bytes | None]] = [("int8", parts.decoder), ("fp32", parts.decoder_fp32)]
    problem: ModelError | None = None
    for precision, content in candidates:
        if content is None:
            continue
        try:
            decoder = Decoder(content, precision)
            _check_golden(decoder, bundle)
        except ModelError as error:
            problem = error
            continue
        return decoder
    raise ModelError(f"{bundle.path} cannot be played on this machine: {problem}") from problem


def open_encoder(bundle: Bundle) -> Encoder:
    """Load the encoder of a model.

    Raises
    ------
    ModelError
        If it cannot be loaded.
    """
    try:
        return Encoder(bundle.parts.encoder)
    except ModelError as error:
        raise ModelError(f"{bundle.path} cannot encode on this machine: {error}") from error


def _check_golden(decoder: Decoder, bundle: Bundle) -> None:
    parts = bundle.parts
    difference = decoder.decode(parts.golden_latents) - parts.golden_spectra
    off_db = float(np.sqrt(np.mean(np.square(difference, dtype=np.float64)))) * -FLOOR_DB
    if not off_db <= parts.golden_tolerance_db:
        raise ModelError(
            f"The {decoder.precision} decoder is {off_db:.2f} dB off its golden spectra where "
            f"{parts.golden_tolerance_db:.2f} dB are allowed; export the model anew."
        )


def _session(onnx_bytes: bytes) -> Any:
    """Load a network where it is computed: on a graphics processor, if onnxruntime is made for one and may reach it.

    TensorRT is passed over: it compiles a network anew for every number of rows, which a room would have to wait for.
    """
    if _CUDA in ort.get_available_providers():
        try:
            # Its shorter floats are another sound than everybody else's.
            chosen = [(_CUDA, {"use_tf32": "0"}), _CPU]
            return ort.InferenceSession(onnx_bytes, _options(), providers=chosen, enable_fallback=0)
        # There is none, it is out of memory, or the walls around this process do not let it be seen.
        except Exception as error:
            warnings.warn(
                f"The graphics processor cannot be used, so the processor does its work ({_first_line(error)}).",
                RuntimeWarning,
                stacklevel=2,
            )
    return ort.InferenceSession(onnx_bytes, _options(), providers=[_CPU])


def _options() -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # The arena never gives memory back; malloc costs nothing measurable here and stays flat for months.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # It would print to stderr what is raised as well.
    options.log_severity_level = _SILENT
    # Otherwise a second format, read with fewer checks, is recognised by its first bytes.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _check_port(ports: list[Any], where: str, wanted: tuple[str, int]) -> None:
    name, width = wanted
    port = ports[0] if len(ports) == 1 else None
    if port is None or port.name != name or port.type != "tensor(float)" or len(port.shape) != 2:
        raise ModelError(f"The {where} is not one float32 (n, {width}) named {name}; export the model anew.")
    if port.shape[1] != width:
        raise ModelError(f"The {where} is {port.shape[1]} wide where {width} belong; export the model anew.")


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:160] if text else type(error).__name__
