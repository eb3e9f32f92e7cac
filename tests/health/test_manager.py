"""Sentences go to the journal, with fields, only where stderr leads there."""

import os
import sys
from pathlib import Path

import pytest

from appliance.health.manager import journal_of


def test_a_terminal_is_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    assert journal_of("player") is None
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    assert journal_of("player") is None


def test_what_is_said_into_the_journal_tells_who_says_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    journal = pytest.importorskip("systemd.journal")
    sent = []
    monkeypatch.setattr(journal, "send", lambda sentence, **fields: sent.append((sentence, fields)))
    with (tmp_path / "stderr").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        there = os.fstat(stderr.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        write = journal_of("player")
    assert write is not None
    write("Playing.")

    assert [(sentence, fields["LATENT_PROCESS"]) for sentence, fields in sent] == [("Playing.", "player")]
    assert set(sent[0][1]) == {"PRIORITY", "SYSLOG_IDENTIFIER", "LATENT_PROCESS", "LATENT_VERSION"}
