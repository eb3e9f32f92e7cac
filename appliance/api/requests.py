"""Every request that the control socket takes, as what pydantic checks; each knows which handlers answer it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, create_model, model_validator
from pydantic_core import PydanticCustomError

from appliance.api.handlers import Handlers
from appliance.errors import UsageError
from appliance.mood import PLACES, QUANTITIES, Quantity
from appliance.names import CORNERS, LONGEST_NAME, are_ends, scene_name

__all__ = ["ADAPTER", "REQUESTS", "SAID", "SETTABLE", "AnyRequest"]

# What may follow "set" in a request.
SETTABLE: Final[Mapping[str, Mapping[str, Quantity]]] = {"mood": QUANTITIES, "place": PLACES}
# The kind of pydantic's errors whose message is ours, and fit for the answer.
SAID: Final = "said"


class Request(BaseModel):
    # Strict: true is no number, and "0.3" is none either.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _settable(name: str, known: Mapping[str, Quantity]) -> type[Request]:
    fields = {name: (Annotated[float, Field(ge=each.low, le=each.high)], each.rest) for name, each in known.items()}
    # mypy knows no way to hand over fields that are not written out.
    made: type[Request] = create_model(name, __base__=Request, **fields)  # type: ignore[call-overload]
    return made


if TYPE_CHECKING:
    _MoodChanges = Request
    _PlaceChanges = Request
else:
    _MoodChanges, _PlaceChanges = _settable("_MoodChanges", QUANTITIES), _settable("_PlaceChanges", PLACES)


def _refuse(words: str) -> PydanticCustomError:
    return PydanticCustomError(SAID, "{words}", {"words": words})


def _scene_name(text: str) -> str:
    try:
        return scene_name(text)
    except UsageError as error:
        words = str(error).rstrip(".")
        raise _refuse(words[0].lower() + words[1:]) from error


_SceneName = Annotated[str, AfterValidator(_scene_name)]
_ControlName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Radius = Annotated[float, Field(ge=0.1, le=2.0)]


def _said(answer: object) -> Any:
    # A silent room has a level of minus infinity, for which JSON has no word.
    return json.loads(json.dumps(answer), parse_constant=lambda _: None)


class _MoodRequest(Request):
    do: Literal["mood"]
    changes: _MoodChanges = Field(
        default_factory=_MoodChanges, alias="set", description='an object, as in {"do": "mood", "set": {"pitch": 0.3}}'
    )

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {"mood": handlers.mood(self.changes.model_dump(exclude_unset=True))}


class _PlaceRequest(Request):
    do: Literal["place"]
    changes: _PlaceChanges = Field(
        default_factory=_PlaceChanges, alias="set", description='an object, as in {"do": "place", "set": {"x": 0.3}}'
    )

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {"place": handlers.place(self.changes.model_dump(exclude_unset=True))}


class _StatusRequest(Request):
    do: Literal["status"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {"status": _said(handlers.status())}


class _NextRequest(Request):
    do: Literal["next"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        handlers.next_piece()
        return {}


class _LogRequest(Request):
    do: Literal["log"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        # As text, so that who asks can write the very same bytes.
        return {"log": handlers.log().decode()}


class _SceneRequest(Request):
    do: Literal["scene"]
    save: _SceneName | None = Field(None, description="the name of a scene")
    recall: _SceneName | None = Field(None, description="the name of a scene")
    remove: _SceneName | None = Field(None, description="the name of a scene")
    morph_s: Annotated[float, Field(ge=0.0, le=600.0)] | None = Field(None, description="seconds from 0 to 600")

    @model_validator(mode="after")
    def _one_thing(self) -> "_SceneRequest":
        if sum(name is not None for name in (self.save, self.recall, self.remove)) > 1:
            raise _refuse('a scene request takes one of "save", "recall" and "remove"')
        if self.morph_s is not None and self.recall is None:
            raise _refuse('"morph_s" goes with "recall"')
        return self

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        if self.save is not None:
            return {"replaced": handlers.save_scene(self.save)}
        if self.recall is not None:
            return {"morph_s": handlers.recall_scene(self.recall, self.morph_s)}
        if self.remove is not None:
            handlers.remove_scene(self.remove)
            return {}
        return {"scenes": handlers.scenes()}


class _KeepRequest(Request):
    do: Literal["keep", "never"]
    radius: _Radius | None = Field(None, description="a number from 0.1 to 2")

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {self.do: (handlers.keep if self.do == "keep" else handlers.never)(self.radius)}


class _SpotsRequest(Request):
    do: Literal["spots"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {"spots": handlers.spots()}


class _ForgetRequest(Request):
    do: Literal["forget"]
    spot: Annotated[int, Field(ge=1, lt=1 << 53)] = Field(description="the number of a spot, 1 or more")

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {"forget": handlers.forget(self.spot)}


class _CornerRequest(Request):
    do: Literal["corner"]
    which: Literal["top-left", "top-right", "bottom-left", "bottom-right"] | None = Field(
        None, description=f"one of {', '.join(CORNERS)}"
    )
    clear: bool = Field(False, description="true or false")

    @model_validator(mode="after")
    def _clears_one(self) -> "_CornerRequest":
        if self.clear and self.which is None:
            raise _refuse('"clear" goes with "which"')
        return self

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        if self.which is None:
            return {"corners": handlers.corners()}
        return {"corners": (handlers.clear_corner if self.clear else handlers.corner)(self.which)}


class _ControlsRequest(Request):
    do: Literal["controls"]

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        return {"controls": _said(handlers.controls())}


class _CalibrateRequest(Request):
    do: Literal["calibrate"]
    name: _ControlName = Field(description="the name of a control")
    low: _Share | None = Field(None, description="a number from 0 to 1")
    high: _Share | None = Field(None, description="a number from 0 to 1")

    @model_validator(mode="after")
    def _both_or_neither(self) -> "_CalibrateRequest":
        if (self.low is None) != (self.high is None):
            raise _refuse('"low" and "high" go together')
        if self.low is not None and self.high is not None and not are_ends(self.low, self.high):
            raise _refuse('"high" is at least 0.05 above "low"')
        return self

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        handlers.calibrate(self.name, self.low, self.high)
        return {}


class _TurnRequest(Request):
    do: Literal["turn"]
    name: _ControlName = Field(description="the name of a control")
    value: _Share | None = Field(None, description="a number from 0 to 1")
    press: bool = Field(False, description="true or false")

    @model_validator(mode="after")
    def _turned_or_pressed(self) -> "_TurnRequest":
        if self.press == (self.value is not None):
            raise _refuse('a turn request takes either "value" or "press"')
        return self

    def answer(self, handlers: Handlers) -> dict[str, Any]:
        handlers.turn(self.name, self.value)
        return {}


REQUESTS: Final[dict[str, type[Request]]] = {
    "mood": _MoodRequest,
    "place": _PlaceRequest,
    "status": _StatusRequest,
    "next": _NextRequest,
    "log": _LogRequest,
    "scene": _SceneRequest,
    "keep": _KeepRequest,
    "never": _KeepRequest,
    "spots": _SpotsRequest,
    "forget": _ForgetRequest,
    "corner": _CornerRequest,
    "controls": _ControlsRequest,
    "calibrate": _CalibrateRequest,
    "turn": _TurnRequest,
}
AnyRequest = (
    _MoodRequest
    | _PlaceRequest
    | _StatusRequest
    | _NextRequest
    | _LogRequest
    | _SceneRequest
    | _KeepRequest
    | _SpotsRequest
    | _ForgetRequest
    | _CornerRequest
    | _ControlsRequest
    | _CalibrateRequest
    | _TurnRequest
)
ADAPTER: Final[TypeAdapter[AnyRequest]] = TypeAdapter(Annotated[AnyRequest, Field(discriminator="do")])
