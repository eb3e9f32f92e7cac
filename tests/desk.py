"""An engine that only pretends: what the control socket can ask for, kept as it was asked."""

import math

from appliance.errors import UsageError
from appliance.mood import PLACES, QUANTITIES


class Desk:
    """All handlers; ``asked`` holds what was asked for, and nothing else is changed but by mood, place and corner."""

    def __init__(self):
        self.asked = []
        self.standing = {name: each.rest for name, each in QUANTITIES.items()}
        self.placed = {name: each.rest for name, each in PLACES.items()}
        self.stored = dict.fromkeys(("top-left", "top-right", "bottom-left", "bottom-right"), False)
        self.kept_scenes = []
        self.kept_spots = []
        self.hands = []

    def mood(self, changes):
        self.asked.append(("mood", changes))
        self.standing |= changes
        return self.standing

    def place(self, changes):
        self.asked.append(("place", changes))
        self.placed |= changes
        return self.placed

    def status(self):
        return {"piece": 3, "level_lufs": -math.inf, "seen": [math.nan, 0.5]}

    def next_piece(self):
        self.asked.append("next")

    def log(self):
        return '{"first": 1}\n{"sécond": 2}\n'.encode()

    def save_scene(self, name):
        self.asked.append(("save", name))
        return name in [scene["name"] for scene in self.kept_scenes]

    def recall_scene(self, name, morph_s):
        self.asked.append(("recall", name, morph_s))
        return 10.0 if morph_s is None else morph_s

    def remove_scene(self, name):
        self.asked.append(("remove", name))

    def scenes(self):
        return self.kept_scenes

    def keep(self, radius):
        self.asked.append(("keep", radius))
        return {"spot": 3, "kept": 2, "banned": 1}

    def never(self, radius):
        self.asked.append(("never", radius))
        return {"spot": 4, "kept": 1, "banned": 3}

    def forget(self, spot):
        self.asked.append(("forget", spot))
        return {"spot": spot, "kept": 1, "banned": 0}

    def spots(self):
        return self.kept_spots

    def corner(self, which):
        self.asked.append(("corner", which))
        self.stored[which] = True
        return self.stored

    def clear_corner(self, which):
        self.asked.append(("clear", which))
        self.stored[which] = False
        return self.stored

    def corners(self):
        return self.stored

    def controls(self):
        return self.hands

    def calibrate(self, name, low, high):
        self.asked.append(("calibrate", name, low, high))

    def turn(self, name, value):
        if name == "real":
            raise UsageError("real is a real knob: turn it by hand.")
        self.asked.append(("turn", name, value))


def a_control(name, **words):
    """A control as the control socket tells of it."""
    return {
        "name": name,
        "source": "mcp3008 0",
        "moves": "pitch",
        "does": None,
        "raw": 0.5,
        "mapped": 0.0,
        "low": None,
        "high": None,
        "trouble": None,
        "age_s": 0.02,
        "touched": False,
        "room": 0.0,
        "waits": False,
    } | words
