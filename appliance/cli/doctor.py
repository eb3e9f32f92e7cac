"""``latent doctor``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.process import config_option

if TYPE_CHECKING:
    from appliance.service.doctor.finding import Finding

__all__ = ["doctor"]

_INDENT = " " * 10


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def doctor(config: Path | None, as_json: bool) -> int:
    """Check this machine, and say what to type where something is to be mended.

    It only looks, and may be run at any time by anybody; root sees more. What is marked warning could be better, and
    what is skipped does not concern this machine. The exit code is 1 where something has to be mended, else 0.

    \b
    Keys of the JSON object:
      healthy      whether nothing has to be mended
      findings     for each thing its name, state (ok, warning, trouble, skipped),
                   what it says, and the remedy: what to type, or nothing

    Example: sudo latent doctor
    """
    from appliance.service.doctor.examine import examine
    from appliance.service.doctor.finding import as_json as told
    from appliance.service.doctor.finding import healthy
    from appliance.service.doctor.machine import Machine

    findings = examine(Machine(), config)
    click.echo(json.dumps(told(findings)) if as_json else _page(findings))
    return 0 if healthy(findings) else 1


def _page(findings: "list[Finding]") -> str:
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<10}{finding.name:<12}{finding.says}")
        if finding.remedy:
            lines.append(f"{_INDENT}type: {finding.remedy}")
    return "\n".join([*lines, "", _sum(findings)])


def _sum(findings: "list[Finding]") -> str:
    troubles, warnings = (sum(finding.state == state for finding in findings) for state in ("trouble", "warning"))
    if troubles:
        return f"{_of(troubles)} to mend."
    return f"All is well, though {_of(warnings)} could be better." if warnings else "All is well."


def _of(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"
