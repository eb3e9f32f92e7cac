"""The sound card: whether the wanted one is there, who holds it, and what its mixer says. It is never opened."""

import re
from dataclasses import dataclass
from typing import Final

from appliance.errors import CardError
from appliance.folders import shown
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.doctor.machine import Machine, whole
from appliance.stream.choice import Choice, Output, alsa_cards, choose
from appliance.stream.mixer import parse_controls, principal, remedy

__all__ = ["check_card"]

_NAMES: Final = re.compile(r"(?m)^ *(\d+) \[[^\]\n]*\]: [^\n]*? - ([^\n]+)$")
# These are no cards of their own, and are known to sound servers alone.
_SERVED: Final = frozenset({"default", "sysdefault", "dmix", "pulse", "pipewire"})
_SERVERS: Final = {
    "pipewire": "pipewire.socket pipewire-pulse.socket pipewire.service pipewire-pulse.service wireplumber.service",
    "pulseaudio": "pulseaudio.socket pulseaudio.service",
}
_SERVERS_OF: Final = {"pipewire": "pipewire", "wireplumber": "pipewire", "pulseaudio": "pulseaudio"}


@dataclass(frozen=True)
class _Holder:
    """A process that has a card open."""

    pid: int
    name: str
    uid: int | None


def check_card(case: Case) -> list[Finding]:
    """Look for the card, for who else holds it, and at its mixer."""
    machine, names = case.machine, case.settings.card.device
    text = machine.text("proc/asound/cards")
    outputs = _outputs(machine, text)
    if not outputs:
        if case.device:
            return [ok("card", f"Playing on {shown(case.device)}.")]
        if case.blind:
            return [
                skipped("card", "Only root may look whether it plays through a sound server.", "sudo latent doctor")
            ]
        return [trouble("card", "There is no sound card: plug one in, and look whether it is listed.", "aplay -l")]
    outputs += [Output(-1, name) for name in names if name.lower() in _SERVED]
    try:
        choice = choose(outputs, names, 0.0, alsa_cards(text))
    except CardError as error:
        if case.device:
            return [warning("card", f"{_plain(error)} Meanwhile it plays on {shown(case.device)}.", case.edit)]
        return [trouble("card", str(error), case.edit)]
    held = _held(case, choice)
    card = held or ok("card", f"Playing on {shown(case.device)}." if case.device else f"{shown(choice.name)} is free.")
    return [card, *_mixer(case, choice)]


def _plain(error: CardError) -> str:
    """Leave out the list of those that are there."""
    return str(error).partition(";")[0].rstrip(".") + "."


def _outputs(machine: Machine, cards: str) -> list[Output]:
    """List what plays, under the names that PortAudio gives it."""
    names = dict(_NAMES.findall(cards))
    outputs: list[Output] = []
    for path in machine.find("proc/asound/card[0-9]*/pcm[0-9]*p"):
        number, device = path.parent.name.removeprefix("card"), path.name[3:-1]
        about = machine.text(str(path.relative_to(machine.root) / "info"))
        called = re.search(r"(?m)^name: (.+)$", about)
        if number in names:
            name = f"{names[number].strip()}: {called[1] if called else ''} (hw:{number},{device})"
            outputs.append(Output(len(outputs), name, usual=not outputs))
    return outputs


def _held(case: Case, choice: Choice) -> Finding | None:
    """Tell of another who holds the card, unless the player has it through just that one."""
    if choice.alsa_card is None or case.device:
        return None
    for holder in _holders(case.machine, choice.alsa_card):
        if not holder.name.startswith("latent"):
            return trouble("card", *_eviction(case.machine, choice, holder))
    return None


def _holders(machine: Machine, number: int) -> list[_Holder]:
    holders = []
    for path in machine.find(f"proc/asound/card{number}/pcm[0-9]*p/sub[0-9]*/status"):
        owner = re.search(r"(?m)^owner_pid\s*: *(\d{1,9})$", machine.text(str(path.relative_to(machine.root))))
        if owner:
            name = machine.text(f"proc/{owner[1]}/comm").strip()
            uid = re.search(r"(?m)^Uid:\s+(\d{1,10})", machine.text(f"proc/{owner[1]}/status"))
            holders.append(_Holder(int(owner[1]), name, whole(uid[1]) if uid else None))
    return holders


def _eviction(machine: Machine, choice: Choice, holder: _Holder) -> tuple[str, str]:
    """Say who holds the card, and what makes them let go of it for good."""
    server = _SERVERS.get(_SERVERS_OF.get(holder.name, ""))
    user = "somebody" if holder.uid is None else machine.user(holder.uid)
    what = shown(holder.name) or "a program"
    says = f"{shown(choice.name)} is held by {what} (process {holder.pid} of {user}), so the player cannot have it."
    if server is None:
        return says, f"sudo kill {holder.pid}"
    if holder.uid == machine.uid:
        return says, f"systemctl --user mask --now {server}"
    return says, f"sudo systemctl --user --machine={user}@.host mask --now {server}"


def _mixer(case: Case, choice: Choice) -> list[Finding]:
    if choice.alsa_card is None:
        return []
    number = str(choice.alsa_card)
    told = case.machine.ask("amixer", "-c", number, "scontents")
    if told is None:
        says = f"The mixer of sound card {number} could not be asked."
        # It may be away, or closed to who looks.
        return [skipped("mixer", says, "sudo latent doctor" if case.machine.uid else "sudo apt install alsa-utils")]
    controls = principal(parse_controls(told))
    for control in controls:
        wanted, _ = remedy(control)
        if wanted:
            how = "muted" if control.muted else f"at {control.percent} % of its range"
            says = f"The mixer of sound card {number} has {shown(control.name)!r} {how}."
            mend = f"amixer -c {number} sset \"'{control.name}',{control.index}\" playback {' '.join(wanted)}"
            # The player turns it up as it opens the card; while it plays, somebody has turned it down since.
            return [trouble("mixer", says, mend) if case.device else warning("mixer", says, mend)]
    says = f"Nothing of sound card {number} is muted or turned down." if controls else "The card has no volume to set."
    return [ok("mixer", says)]
