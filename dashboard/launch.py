"""How the dashboard is started, for ``agentdog ui`` and for tests: one command line, nothing set by hand.

Invariant: on loopback unless the caller says otherwise, no usage statistics, no file watcher. The look and the defaults
lie in ``.streamlit/config.toml`` beside the script, which Streamlit reads because of where the script is.
"""

from __future__ import annotations

import sys
from pathlib import Path

#: What ``streamlit run`` is given, and the script that each visit runs.
ENTRANCE = Path(__file__).resolve().with_name("entrance.py")
SCRIPT = ENTRANCE.with_name("app.py")


def command(
    *, host: str = "127.0.0.1", port: int = 8501, cert: Path | None = None, key: Path | None = None
) -> list[str]:
    """Returns the argument vector that serves the dashboard; the API's address goes in ``AGENTDOG_API_URL``."""
    flags = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",  # no browser is opened, no question is asked on the first start
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    if cert is not None and key is not None:
        flags |= {"server.sslCertFile": str(cert), "server.sslKeyFile": str(key)}
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(ENTRANCE),
        *(f"--{key}={value}" for key, value in flags.items()),
    ]
