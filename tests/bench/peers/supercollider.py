"""SuperCollider's drone: 64 sine oscillators, every other one left and right, through its reverb, rendered offline.

Neither the language nor a running server is needed: the synth definition and the score are written here, byte by
byte, and `scsynth -N` renders them. In SuperCollider's own language it is

    SynthDef(\\drone, {
        var tones = Array.fill(64, { |i| SinOsc.ar(55 * (i.div(4) + 1) * (1 + (0.0013 * (i % 4)))) });
        var sides = [tones[0, 2 ..].sum, tones[1, 3 ..].sum] * 0.0125;
        Out.ar(0, FreeVerb2.ar(sides[0], sides[1], 0.4, 0.8, 0.4))
    })

Formats: "Synth Definition File Format" (version 2) and "Non-Realtime Synthesis" in SuperCollider's help; Open Sound
Control 1.0.
"""

import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["APT_PACKAGE", "NOWHERE", "available", "render"]

APT_PACKAGE = "supercollider-server"
NOWHERE = Path("/dev/null")

_OSCILLATORS = 64
_FUNDAMENTAL_HZ = 55.0
_DETUNE = 0.0013
_LEVEL = 0.0125
_MIX, _ROOM, _DAMP = 0.4, 0.8, 0.4
_AUDIO = 2
_ADD, _MULTIPLY = 0, 2

# A wire from one unit to another: the number of the unit and of its output; unit -1 stands for the constants.
Wire = tuple[int, int]


def available() -> bool:
    """Whether scsynth is installed."""
    return shutil.which("scsynth") is not None


def render(folder: Path, seconds: float, rate: int, sound: Path = NOWHERE) -> None:
    """Render the drone: into a WAV file of 32-bit floats, or nowhere. `folder` takes the score.

    Raises RuntimeError where scsynth complains; it would go on and render silence.
    """
    score = folder / "drone.osc"
    score.write_bytes(_score(seconds))
    header = "RAW" if sound == NOWHERE else "WAV"
    command = ["scsynth", "-N", str(score), "_", str(sound), str(rate), header, "float", "-o", "2", "-D", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or "ERROR" in done.stdout:
        raise RuntimeError(f"scsynth failed: {done.stdout.strip()[-300:]} {done.stderr.strip()[-300:]}")


@dataclass
class _Graph:
    """A synth definition as it grows: constants, and the encoded units that are calculated in order."""

    constants: list[float] = field(default_factory=list)
    units: list[bytes] = field(default_factory=list)

    def constant(self, value: float) -> Wire:
        if value not in self.constants:
            self.constants.append(value)
        return -1, self.constants.index(value)

    def unit(self, name: str, inputs: list[Wire], outputs: int, special: int = 0) -> list[Wire]:
        """Add a unit at audio rate and give the wires of its outputs."""
        spec = _pascal(name) + struct.pack(">biih", _AUDIO, len(inputs), outputs, special)
        spec += b"".join(struct.pack(">ii", *wire) for wire in inputs) + bytes([_AUDIO] * outputs)
        self.units.append(spec)
        return [(len(self.units) - 1, output) for output in range(outputs)]

    def encode(self, name: str) -> bytes:
        constants = struct.pack(f">i{len(self.constants)}f", len(self.constants), *self.constants)
        body = constants + struct.pack(">iii", 0, 0, len(self.units)) + b"".join(self.units) + struct.pack(">h", 0)
        return b"SCgf" + struct.pack(">ih", 2, 1) + _pascal(name) + body


def _drone() -> bytes:
    graph = _Graph()
    level = graph.constant(_LEVEL)
    halves = [_mix(graph, range(side, _OSCILLATORS, 2)) for side in (0, 1)]
    sides = [graph.unit("BinaryOpUGen", [half, level], 1, _MULTIPLY)[0] for half in halves]
    room = [graph.constant(value) for value in (_MIX, _ROOM, _DAMP)]
    graph.unit("Out", [graph.constant(0.0), *graph.unit("FreeVerb2", [*sides, *room], 2)], 0)
    return graph.encode("drone")


def _mix(graph: _Graph, numbers: range) -> Wire:
    """Sum of some oscillators, four at a time as SuperCollider's compiler does it."""
    if len(numbers) == 1:
        hz = _FUNDAMENTAL_HZ * (numbers[0] // 4 + 1) * (1.0 + _DETUNE * (numbers[0] % 4))
        return graph.unit("SinOsc", [graph.constant(hz), graph.constant(0.0)], 1)[0]
    parts = 4 if len(numbers) % 4 == 0 else 2
    size = len(numbers) // parts
    summands = [_mix(graph, numbers[part * size : (part + 1) * size]) for part in range(parts)]
    if parts == 4:
        return graph.unit("Sum4", summands, 1)[0]
    return graph.unit("BinaryOpUGen", summands, 1, _ADD)[0]


def _score(seconds: float) -> bytes:
    """A score: the definition and one synth at the start, and an end."""
    start = [_message("/d_recv", _drone()), _message("/s_new", "drone", 1000, 0, 0)]
    return _bundle(0.0, start) + _bundle(seconds, [_message("/c_set", 0, 0)])


def _bundle(at_s: float, messages: list[bytes]) -> bytes:
    body = b"#bundle\0" + struct.pack(">II", int(at_s), int(at_s % 1.0 * 2**32))
    body += b"".join(struct.pack(">i", len(message)) + message for message in messages)
    return struct.pack(">i", len(body)) + body


def _message(address: str, *arguments: str | int | bytes) -> bytes:
    """An Open Sound Control message; strings, 32-bit integers and blobs are padded to 4 bytes."""
    tags, body = ",", b""
    for argument in arguments:
        if isinstance(argument, str):
            tags, body = tags + "s", body + _padded(argument.encode() + b"\0")
        elif isinstance(argument, int):
            tags, body = tags + "i", body + struct.pack(">i", argument)
        else:
            tags, body = tags + "b", body + struct.pack(">i", len(argument)) + _padded(argument)
    return _padded(address.encode() + b"\0") + _padded(tags.encode() + b"\0") + body


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _pascal(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
