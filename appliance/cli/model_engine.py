"""Which model the engine plays, and waiting until it plays another."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.api.client import ask
from appliance.errors import ApiError, ModelError
from appliance.folders import runtime_folder, shown

__all__ = ["EngineModel", "engine_model", "heard"]

# To load it and warm up.
_PATIENCE_S: Final = 30.0
_EVERY_S: Final = 0.25

EngineModel = Mapping[str, Any]


def engine_model() -> EngineModel | None:
    """Give what the engine says of its model: ``name``, ``digest``, ``coming``, ``trouble``; None if it does not say.

    Without an engine the library can be used all the same, so this never raises for want of one.
    """
    try:
        model = ask(runtime_folder(), {"do": "status"})["status"].get("model")
    except (ApiError, OSError):
        return None
    return model if isinstance(model, dict) else None


def heard(
    name: str,
    digest: str,
    before: EngineModel | None,
    crossfade_s: float,
    overtaken: Callable[[], str],
    look: Callable[[], EngineModel | None] = engine_model,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the engine plays a model that was chosen.

    Parameters
    ----------
    before : mapping or None
        What the engine said before it was chosen; the trouble that it was in then is not about this.
    crossfade_s : float
        How long one model gives way to the other.
    overtaken : callable
        Gives a sentence on why it is no longer the one that is to play, as soon as there is one.
    look : callable
        As `engine_model`.

    Returns
    -------
    bool
        False if there is no engine.

    Raises
    ------
    ModelError
        If the engine cannot play it, or does not within half a minute and the crossfade, or is not to any more.
    """
    if before is None:
        return False
    patience_s = _PATIENCE_S + crossfade_s
    deadline_s = clock() + patience_s
    now: EngineModel | None = before
    while clock() < deadline_s:
        # An engine that takes it back says why before it chooses another.
        over, now = overtaken(), look()
        if now is not None and now.get("digest") == digest:
            return True
        trouble = now and now.get("trouble")
        if trouble and trouble != before.get("trouble"):
            raise ModelError(shown(trouble))
        if over:
            raise ModelError(over)
        sleep(_EVERY_S)
    if now is None:
        return False
    trouble = shown(now.get("trouble") or "see latent model list")
    raise ModelError(f"{shown(name)} is chosen, but does not play after {patience_s:g} s: {trouble.rstrip('.')}.")
