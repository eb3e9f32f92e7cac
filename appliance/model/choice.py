"""The small pages that lie beside the models on this machine: what was chosen, and what is known of each."""

from collections.abc import Collection, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from appliance.errors import ModelError
from appliance.model.verdict import Verdict

__all__ = ["Choice", "Entry", "Pointer", "Probation", "begins", "superfluous"]

_FEWEST_DIGITS: Final = 4
_NEWEST: Final = 2
_DAY_S: Final = 86_400.0
# A machine without a clock starts in 1970: what seems older than this came before the time was known.
_OLDEST_DAYS: Final = 7300.0

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Page(BaseModel):
    # What a later version added is passed over: going back to an older program must not lose what was chosen.
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Pointer(_Page):
    """Which model is meant.

    Attributes
    ----------
    digest : str
        sha256 of the whole file, in hex.
    name : str
        From its manifest.
    shipped : bool
        Whether it is one of those that came with the program, and so is found by its name.
    """

    digest: _Digest
    name: str
    shipped: bool = False


class Probation(_Page):
    """A new model that has yet to show that it can be lived with.

    Attributes
    ----------
    boot : str or None
        Of the boot in which the engine that plays it runs; None: that engine ended on purpose.
    boots : int
        In how many boots it was tried.
    heard : bool
        Whether it ever played.
    """

    digest: _Digest
    boot: str | None = None
    boots: Annotated[int, Field(ge=1)] = 1
    heard: bool = False


class Choice(_Page):
    """What is to play, and what played before.

    Attributes
    ----------
    current, previous : Pointer or None
        None is the model of the settings.
    base : str
        The settings' ``[music] model`` when `current` was chosen.
    probation : Probation or None
    played_s : float
        Seconds already played of the playlist's entry.
    """

    current: Pointer | None = None
    previous: Pointer | None = None
    base: str = ""
    probation: Probation | None = None
    played_s: Annotated[float, Field(ge=0.0)] = 0.0

    def chosen(self, pointer: Pointer | None, base: str) -> "Choice":
        """Give what is chosen once ``pointer`` is, on probation from the beginning.

        What was chosen and never heard is not gone back to; nor does what is chosen already become what it follows.
        """
        unheard = self.current is not None and self.probation is not None and not self.probation.heard
        previous = self.previous if unheard or pointer == self.current else self.current
        return Choice(current=pointer, previous=previous, base=base, probation=_begun(pointer))

    def gone_back(self, stay: bool) -> "Choice":
        """Give what is chosen once it went back; whether what plays now stays, to be gone back to in turn.

        Raises
        ------
        ModelError
            If nothing was chosen before.
        """
        if self.current is None and self.previous is None:
            raise ModelError("There is no model to go back to: choose one with latent model use.")
        previous = self.current if stay else None
        return Choice(current=self.previous, previous=previous, base=self.base, probation=_begun(self.previous))


def _begun(pointer: Pointer | None) -> Probation | None:
    return None if pointer is None else Probation(digest=pointer.digest)


class Entry(_Page):
    """A model that was accepted on this machine.

    Attributes
    ----------
    file : str
        The name that its file had when it came, without ``.latent``.
    number : int
        1 for the first that came, and so on.
    arrived_at : float
        Seconds since 1970, by the clock of this machine, which may have been wrong.
    failed : str
        Why it was taken back, in one sentence; empty where it was not.
    """

    digest: _Digest
    file: str
    number: Annotated[int, Field(ge=1)]
    arrived_at: float
    verdict: Verdict
    failed: str = ""


def begins(digest: str, digits: str) -> bool:
    """Tell whether a digest begins with digits that somebody gave; fewer than four could be a name as well."""
    return len(digits) >= _FEWEST_DIGITS and digest.startswith(digits.lower())


def superfluous(
    entries: Sequence[Entry], spared: Collection[str], keep: int, keep_days: float, now_s: float
) -> list[Entry]:
    """Tell which models are old or too many; never those that are spared, nor the newest two.

    Parameters
    ----------
    entries : sequence of Entry
        In the order in which they came.
    keep : int
        How many stay, those that are spared among them.
    keep_days : float
        What came longer ago goes, however few there are.
    now_s : float
        Seconds since 1970. What came later than this, or decades ago, is taken for new: a clock was wrong.
    """
    loose = [entry for entry in entries[:-_NEWEST] if entry.digest not in spared]
    many = len(entries) - keep
    return [
        entry
        for place, entry in enumerate(loose)
        if place < many or keep_days < (now_s - entry.arrived_at) / _DAY_S < _OLDEST_DAYS
    ]
