"""What stands in for an empty Raspberry Pi: a home of its own, a terminal to type into, and small programs in place of
those that would change the machine that runs the tests. Everything else that is typed there is the real thing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0

STAND_INS = {
    "sudo": '#!/bin/sh\nexec "$@"\n',
    "apt": """#!/bin/sh
# Nothing is installed: what would be must be there. (git and wget are stand-ins below.)
test "$1" = install || exit 0
for package; do
    case $package in
    install | git | wget) ;;
    python3-venv) "$TEST_PYTHON" -c "import ensurepip" || exit 1 ;;
    *) command -v "$package" >/dev/null || { echo "$package is not installed"; exit 1; } ;;
    esac
done
""",
    "git": f"""#!/bin/sh -e
# The work tree as it is, with what is not committed yet; and a pull brings firmware that calls itself 9.9.9.
if [ "$1" = clone ]; then
    mkdir "$3"
    cd {ROOT} && cp -r gateway firmware boards README.md pyproject.toml constraints.txt "$3"
else
    test "$1 $3" = "-C pull"
    sed -i 's/^FIRMWARE = .*/FIRMWARE = "9.9.9"/' "$2/firmware/config.py"
fi
""",
    "python3": """#!/bin/sh -e
# An environment whose pip is the next stand-in.
test "$1 $2" = "-m venv"
mkdir -p "$3/bin"
cp "$(dirname "$0")/pip" "$3/bin/"
""",
    "pip": """#!/bin/sh -e
# Nothing is downloaded: the command runs the sources that were cloned, with the packages of the test's environment.
test "$1 $2 -f" = "install -c -f"
test -f "$3"
folder=${4%%[*}
extra=${4#*[}
grep -q "^${extra%]} = \\[" "$folder/pyproject.toml"
grep -q '^hearthgate = "gateway.cli.main:main"' "$folder/pyproject.toml"
printf '#!/bin/sh\\nPYTHONPATH=%s exec %s -m gateway "$@"\\n' "$folder" "$TEST_PYTHON" >"$(dirname "$0")/hearthgate"
chmod +x "$(dirname "$0")/hearthgate"
""",
    "wget": '#!/bin/sh\n: >"$(basename "$1")"\n',
    "usermod": "#!/bin/sh\nexit 0\n",
    "ssh": """#!/bin/bash -e
# The far end of the tunnel must answer within the time that the console takes to load.
[[ $1 == -L && $2 =~ ^[0-9]+:localhost:([0-9]+)$ ]]
for _ in {1..200}; do
    (: >"/dev/tcp/localhost/${BASH_REMATCH[1]}") 2>/dev/null && exit 0
    sleep 0.1
done
exit 1
""",
    "systemctl": f"""#!{sys.executable}
# As systemd would start the units of this home's systemd/, but that User= has to be whoever runs the test.
import configparser, os, pathlib, pwd, shlex, signal, subprocess, sys, time

units = pathlib.Path.home() / "systemd"
verb, names = sys.argv[1], [name for name in sys.argv[2:] if not name.startswith("-")]

def runs(pid):
    try:
        return pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

def stop(pid_file):
    if pid_file.exists():
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while runs(pid):
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)
        pid_file.unlink()

def start(name):
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str
    assert unit.read(units / f"{{name}}.service"), name
    service = unit["Service"]
    assert service["User"] == pwd.getpwuid(os.getuid()).pw_name
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    with (units / f"{{name}}.log").open("ab") as log:
        process = subprocess.Popen(
            shlex.split(service["ExecStart"]), cwd=service.get("WorkingDirectory", "/"),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
    (units / f"{{name}}.pid").write_text(str(process.pid))

if verb == "disable":
    assert names == ["mosquitto"]
elif verb in ("enable", "restart", "stop"):
    for name in names:
        stop(units / f"{{name}}.pid")
        if verb != "stop":
            start(name)
else:
    assert verb == "daemon-reload"
""",
}


class EmptyPi:
    """A person's home at `home`. answers: what is asked there -> what is typed."""

    def __init__(self, home: Path, answers: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self.home = home
        self.said = ""
        self._folder = home
        self._answers = answers
        for folder in ("stand-ins", "bin", "systemd"):
            (home / folder).mkdir(parents=True)
        for name, script in STAND_INS.items():
            path = home / "stand-ins" / name
            path.write_text(script)
            path.chmod(0o755)
        places = [home / "stand-ins", home / "bin", *os.environ["PATH"].split(os.pathsep), "/usr/sbin"]
        self._environment = os.environ | {
            "HOME": str(home),
            "USER": subprocess.check_output(["id", "-un"], text=True).strip(),
            "PATH": os.pathsep.join(map(str, places)),
            "TEST_PYTHON": sys.executable,
            "TERM": "xterm",
            "COLUMNS": "200",
            **environment,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what its systemctl started."""
        for file in (self.home / "systemd").glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)

    def log(self, unit: str) -> str:
        """What a unit has said."""
        return (self.home / "systemd" / f"{unit}.log").read_text(errors="replace")

    def type(self, commands: str) -> str:
        """What the terminal shows for them; the first that fails ends them, and fails the test."""
        ours, theirs = os.openpty()
        script = f"set -euo pipefail\ncd {self._folder}\n{commands}\npwd >{self.home}/folder\n"
        process = subprocess.Popen(
            ["/bin/bash", "-c", script],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self._environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it makes one system call
        )
        os.close(theirs)
        shown = self._watch(process, ours)
        os.close(ours)
        self.said += shown
        assert process.returncode == 0, f"{commands}\n{shown}"
        self._folder = Path((self.home / "folder").read_text().strip())
        return shown

    def _watch(self, process: subprocess.Popen[bytes], terminal: int) -> str:
        """Read until the end, and answer what is asked."""
        shown = b""
        answered = 0
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if time.monotonic() > deadline:
                process.kill()
                shown += b"\n(and then nothing more: it took too long)"
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(terminal, 4096)
                except OSError:  # nobody has it open any more
                    process.wait()
                    break
            elif process.poll() is not None:  # what it left behind keeps the terminal
                break
            for asked, answer in self._answers.items():
                if (at := shown.find(asked.encode(), answered)) >= 0:
                    answered = at + len(asked)
                    time.sleep(0.5)  # nobody is faster, and what is typed before the echo is off is thrown away
                    os.write(terminal, answer.encode() + b"\n")
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace")).replace("\r\n", "\n")
        return re.sub(r"[^\n]*\r", "", plain)  # what was written over is not seen any more
