"""A real SSH server on loopback, set up with the very lines of the guide: keys, port and configuration of its own."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import until

GUIDE = Path(__file__).parents[1] / "deploy/guide.md"
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
PATIENCE_S = 30.0
# A system account that may not log in otherwise, as the guide makes one.
LOCKED_IN = "nobody"


def block(language: str) -> str:
    """The one block of this language in the guide."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    return found[0]


class Server:
    """A server, and the ways to it; as root the artist is locked in, and otherwise shares this user's account.

    Attributes
    ----------
    incoming, rejected : Path
        As the box sees them.
    locked : bool
        Whether there is a chroot.
    """

    def __init__(self, folder: Path) -> None:
        self.locked = os.getuid() == 0
        self.folder = folder
        self.me = pwd.getpwuid(os.getuid()).pw_name
        self.artist = LOCKED_IN if self.locked else self.me
        self.root = self._folder("srv")
        self.incoming, self.rejected = self._folder("srv/incoming"), self._folder("srv/rejected")
        if self.locked:
            shutil.chown(self.incoming, self.artist, os.getgid())
            self.incoming.chmod(0o2770)
        self.copying, self.syncing = self._key("copying"), self._key("syncing")
        self._folder("keys")
        self._authorise()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = folder / "log"
        config = folder / "sshd_config"
        config.write_text(self._config())
        if self.locked:
            # Otherwise made by the unit of the system's own server.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log, stdin=subprocess.DEVNULL)
        until(self._answers)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    def options(self, key: Path | None = None, port: str = "-P") -> list[str]:
        """Those of scp and sftp; ssh has another word for the port."""
        given = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes")
        words = [word for each in (*given, "LogLevel=ERROR") for word in ("-o", each)]
        return ["-F", "none", "-i", str(key or self.copying), port, str(self.port), *words]

    def scp(self, *words: object) -> list[str]:
        """A command; ``artist:PATH`` is a path at the server."""
        return ["scp", *self.options(), *(str(word).replace("artist:", f"{self.artist}@127.0.0.1:") for word in words)]

    def sftp(self, *words: object) -> list[str]:
        """A command that reads its own from stdin."""
        return ["sftp", *self.options(), "-b", "-", *map(str, words), f"{self.artist}@127.0.0.1"]

    def ssh(self, *words: str) -> list[str]:
        return ["ssh", *self.options(port="-p"), f"{self.artist}@127.0.0.1", *words]

    def rsync(self, *words: object) -> list[str]:
        """A command; the folder is the one that the key is good for."""
        shell = " ".join(["ssh", *self.options(self.syncing, "-p")])
        return ["rsync", "-e", shell, *map(str, words), f"{self.me}@127.0.0.1:"]

    def _config(self) -> str:
        text = block("sshd_config").replace("User artist", f"User {self.artist}")
        text = text.replace("/srv/latent", str(self.root)).replace("/etc/ssh/latent", str(self.folder / "keys"))
        if not self.locked:
            # Without a second account, what the key says keeps the two apart.
            text = re.sub(r" *(ChrootDirectory|ForceCommand) .*\n", "", text)
        own = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self._key("host"),
            "PidFile": "none",
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "StrictModes": "yes" if self.locked else "no",
            "AuthorizedKeysFile": self.folder / "keys/%u",
            "Subsystem": "sftp internal-sftp",
        }
        return "".join(f"{key} {value}\n" for key, value in own.items()) + text

    def _authorise(self) -> None:
        line = block("authorized_keys").replace("/srv/latent/incoming", str(self.incoming))
        syncing = line.replace("ssh-ed25519 AAAA... artist", self.syncing.with_suffix(".pub").read_text().strip())
        assert "rrsync" in syncing
        assert syncing != line
        copying = self.copying.with_suffix(".pub").read_text()
        if not self.locked:
            copying = f'restrict,command="internal-sftp -d {self.incoming} -u 0027" {copying}'
        keys = {self.artist: "", self.me: ""}
        keys[self.artist] += copying
        keys[self.me] += syncing
        for user, text in keys.items():
            (self.folder / "keys" / user).write_text(text)

    def _key(self, name: str) -> Path:
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=PATIENCE_S)
        return path

    def _folder(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        path.chmod(0o755)
        return path

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def run(command: list[str], said: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, input=said, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def cut(command: list[str], path: Path, size: int, said: str = "") -> None:
    """Start a copy, and kill it once so much has arrived in a file, or in the one that rsync makes beside it."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin is not None
    process.stdin.write(said.encode())
    process.stdin.flush()

    def there() -> bool:
        sizes = [each.stat().st_size for each in path.parent.glob(f"*{path.name}*")]
        return max(sizes, default=0) >= size

    try:
        until(there, PATIENCE_S)
        assert process.poll() is None, "It was over before it could be cut."
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
        process.stdin.close()


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[Server]:
    missing = [name for name in (SSHD, "ssh", "scp", "sftp", "ssh-keygen", "rsync", "rrsync") if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: install openssh-server, openssh-client and rsync.")
    root = os.getuid() == 0
    # A chroot wants a way down to it that only root may write to, which /tmp is not.
    if root and not os.access("/srv", os.W_OK):
        pytest.skip("There is no /srv to write to, and only there can an account be locked in.")
    folder = Path(tempfile.mkdtemp(prefix="latent-test-", dir="/srv" if root else None))
    if root:
        folder.chmod(0o755)
    server = None
    try:
        server = Server(folder)
        yield server
    finally:
        if server is not None:
            server.close()
        shutil.rmtree(folder)
