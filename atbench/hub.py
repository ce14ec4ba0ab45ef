"""Data sets by their place: a file here, or one of the Hugging Face hub at a pinned revision.

``hub:OWNER/NAME/PATH@REVISION`` names a file of a data-set repository. Invariant: a revision that is not a commit is
read, and warned of, since what stands behind a branch's name changes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from agentdog.base.errors import NotFoundError, OutsideError, UsageError

SCHEME = "hub:"
_PLACE = re.compile(r"hub:(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)/(?P<file>[^@]+)(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Located(NamedTuple):
    """A file that can be read, where it came from when not from here, and what stands against trusting it."""

    path: Path
    origin: str | None = None
    warning: str | None = None


def locate(dataset: str, *, here_only: bool = False) -> Located:
    """Returns the file that a data set's name stands for, fetched into the hub's own cache where it is not there yet.

    With `here_only` the hub is not asked.

    Raises:
        UsageError: when a hub place is not written as one.
        NotFoundError: when the hub has no such file.
        OutsideError: when the package is missing or the hub cannot be reached.
    """
    if not dataset.startswith(SCHEME):
        return Located(Path(dataset))
    found = _PLACE.fullmatch(dataset)
    if found is None:
        raise UsageError(f"data set {dataset!r}: write hub:OWNER/NAME/PATH@REVISION")
    revision = found["revision"]
    path = _fetch(f"{found['owner']}/{found['name']}", found["file"], revision, here_only)
    if revision is not None and _COMMIT.fullmatch(revision):
        return Located(path, dataset)
    return Located(path, dataset, f"{dataset} is not pinned to a commit: the rows behind it may change")


def _fetch(repository: str, file: str, revision: str | None, here_only: bool) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError
    except ImportError as error:
        raise OutsideError(
            f"package huggingface_hub is missing ({error}); pip install 'agentdog-sidecar[hub]', or name a local file"
        ) from error
    try:
        found = hf_hub_download(repository, file, repo_type="dataset", revision=revision, local_files_only=here_only)
        return Path(found)
    except LocalEntryNotFoundError as error:  # a kind of EntryNotFoundError, but the hub did not say so
        raise OutsideError(
            f"{repository}/{file}: not in the cache, and the hub does not answer or is not asked"
        ) from error
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise NotFoundError(f"the hub has no {repository}/{file} at {revision or 'its main branch'}") from error
    except OSError as error:
        raise OutsideError(f"{repository}/{file}: {error}") from error
