"""What the doctor says of one thing: how it is, and what to type where it is not well."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Finding", "as_json", "healthy", "ok", "skipped", "trouble", "warning"]


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes
    ----------
    name : str
        Of the thing, in a word or two.
    state : "ok", "warning", "trouble" or "skipped"
        A warning is something that could be better, and the room sounds all the same; what is skipped does not
        concern this machine, or cannot be seen by whoever looks.
    says : str
        One sentence or two.
    remedy : str
        What to type; empty where there is nothing to mend.
    """

    name: str
    state: Literal["ok", "warning", "trouble", "skipped"]
    says: str
    remedy: str = ""


def ok(name: str, says: str) -> Finding:
    """All is well with it."""
    return Finding(name, "ok", says)


def warning(name: str, says: str, remedy: str = "") -> Finding:
    """It could be better."""
    return Finding(name, "warning", says, remedy)


def trouble(name: str, says: str, remedy: str) -> Finding:
    """It has to be mended."""
    return Finding(name, "trouble", says, remedy)


def skipped(name: str, says: str, remedy: str = "") -> Finding:
    """It does not concern this machine, or cannot be seen."""
    return Finding(name, "skipped", says, remedy)


def healthy(findings: Iterable[Finding]) -> bool:
    """Whether nothing has to be mended."""
    return all(finding.state != "trouble" for finding in findings)


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """Give them in what JSON can say."""
    return {"healthy": healthy(findings), "findings": [asdict(finding) for finding in findings]}
