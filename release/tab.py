#!/usr/bin/env python3
"""Types commands and Tab into an interactive bash that knows nothing but the archive: `tab.py FOLDER-OF-THE-ARCHIVE`."""

import os
import pty
import select
import sys
import time

folder = sys.argv[1]
child, terminal = pty.fork()
if child == 0:
    os.chdir(os.environ["HOME"])
    os.execvp("bash", ["bash", "--noprofile", "--norc", "-i"])

shown = ""


def read_until(text: str, seconds: float = 10) -> bool:
    """Reads what the shell shows until the text is there."""
    global shown
    end = time.monotonic() + seconds
    while text not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        if not ready:
            return False
        shown += os.read(terminal, 65536).decode(errors="replace")
    return True


def expect(typed: str, completed: str) -> None:
    """Types a line without its end; Tab must make it the second text."""
    global shown
    shown = ""
    os.write(terminal, typed.encode() + b"\t")
    if not read_until(completed):
        sys.exit(f"`{typed}` and Tab: found {shown!r}, expected `{completed}`")
    print(f"ok: bash completes `{typed}` to `{completed.strip()}`")
    # Control-U empties the line.
    os.write(terminal, b"\x15")
    time.sleep(0.2)


with open(os.path.join(os.environ["HOME"], "policy.yaml"), "w", encoding="ascii") as policy:
    policy.write("kind: HeaderPolicy\n")
os.write(terminal, f"source '{folder}/completions/kubectl-kyma_istio.bash'; echo rea''dy\n".encode())
if not read_until("ready\r\n"):
    sys.exit(f"bash: found {shown!r}, expected the prompt")
expect("kubectl-kyma_istio ins", "install ")
expect("kubectl-kyma_istio filter sim", "simulate ")
expect("kubectl-kyma_istio version --output=js", "--output=json ")
expect("kubectl-kyma_istio version -o ya", "yaml ")
expect("kubectl-kyma_istio filter validate pol", "policy.yaml ")
