"""What came of trying a model on this machine."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Verdict"]


class Verdict(BaseModel):
    """Whether a file may be played, and what was measured; what was not reached is empty or None.

    Attributes
    ----------
    accepted : bool
    reason : str
        Where it is refused: one sentence that names the file, and says what is wrong and what to do.
    whole : bool
        False: bytes are missing or damaged, so that a copy that is still under way may mend it.
    judged : bool
        False: the trial did not come about, so nothing is known of the file, and another may accept it.
    name, licence, author, created : str
        From the manifest.
    digest : str
        sha256 of the whole file, in hex.
    size : int
        Bytes.
    precision : str
        Which decoder plays here, "int8" or "fp32".
    realtime_factor : float or None
        Of the whole engine with this model, on one core of this machine.
    memory_mb : float or None
        What the model adds to the engine.
    loudness_lufs : float or None
        Of the sound that was rendered with it.
    """

    # What a later version added is passed over: an older program is to know the models that a newer one took in.
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    accepted: bool
    reason: str = ""
    whole: bool = True
    judged: bool = True
    name: str = ""
    licence: str = ""
    author: str = ""
    created: str = ""
    digest: str = ""
    size: Annotated[int, Field(ge=0)] = 0
    precision: str = ""
    realtime_factor: float | None = None
    memory_mb: float | None = None
    loudness_lufs: float | None = None
