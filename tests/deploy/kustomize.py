"""Builds a kustomization as `kubectl kustomize` does, for the few fields that ours use; any other field is an error."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

_FIELDS = {"apiVersion", "kind", "namespace", "resources", "patches", "images"}
#: By what the entries of a list are the same: the merge keys of Kubernetes' API (`x-kubernetes-patch-merge-key`).
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
}


def build(folder: Path) -> list[Object]:
    """Returns every object of a kustomization, patched."""
    said = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    assert said["kind"] == "Kustomization" and not set(said) - _FIELDS, sorted(set(said) - _FIELDS)
    objects: list[Object] = []
    for name in said["resources"]:
        path = folder / name
        objects += build(path) if path.is_dir() else documents(path)
    for patch in said.get("patches", ()):
        (change,) = documents(folder / patch["path"])
        objects = _patched(objects, change, patch.get("target"))
    for each in objects:
        if "namespace" in said and each["kind"] != "Namespace":
            each["metadata"]["namespace"] = said["namespace"]
        for container in containers(each):
            container["image"] = _image(container["image"], said.get("images", ()))
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names), f"twice: {names}"
    return objects


def documents(path: Path) -> list[Object]:
    """Reads the objects of a file."""
    return [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]


def pod(each: Object) -> Object | None:
    """Returns the pod that an object makes."""
    found: Object | None = each.get("spec", {}).get("template", {}).get("spec")
    return found


def containers(each: Object) -> list[Object]:
    """Returns the containers of the pods that an object makes."""
    made = pod(each) or {}
    return [*made.get("initContainers", ()), *made.get("containers", ())]


def _patched(objects: list[Object], change: Object, target: Object | None) -> list[Object]:
    changed, hit = [], False
    for each in objects:
        here = _targeted(each, target) if target else _same(each, change)
        hit |= here
        if here and target:
            change = {k: v for k, v in change.items() if k not in ("metadata", "apiVersion", "kind")}
        changed.append(_merged(each, change) if here else each)
    assert hit, f"a patch of nothing: {change}"
    return changed


def _same(each: Object, change: Object) -> bool:
    return bool(each["kind"] == change["kind"] and each["metadata"]["name"] == change["metadata"]["name"])


def _targeted(each: Object, target: Object) -> bool:
    assert set(target) == {"kind", "labelSelector"}
    if each["kind"] != target["kind"]:
        return False
    labels = each["metadata"].get("labels", {})
    if found := re.fullmatch(r"(\S+) in \(([^)]*)\)", target["labelSelector"]):
        return labels.get(found[1]) in found[2].split(",")
    key, value = target["labelSelector"].split("=")
    return bool(labels.get(key) == value)


def _merged(old: Any, new: Any, name: str = "") -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{k: _merged(old[k], v, k) if k in old else copy.deepcopy(v) for k, v in new.items()}}
    if isinstance(old, list) and name in _MERGE_KEYS:
        key = _MERGE_KEYS[name]
        kept = {each[key]: each for each in old}
        kept |= {each[key]: _merged(kept.get(each[key]), each) for each in new}
        return list(kept.values())
    return copy.deepcopy(new)


def _image(image: str, images: Any) -> str:
    for each in images:
        if image.partition(":")[0] == each["name"]:
            return f"{each['newName']}:{each['newTag']}"
    return image
