"""A tolerant reader for hyperpyyaml files: tags become plain data, references are resolved, nothing is executed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from cosyvoice.errors import CheckpointError

_REFERENCE = re.compile(r"<([\w.]+)>")


class _Reference(str):
    """The text of a `!ref` node, such as `<chunk_size> * <token_mel_ratio>`."""


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader that keeps the data under any tag and forgets the tag, except `!ref`."""


def _construct_tagged(loader: _PlainLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    value = loader.construct_scalar(node)
    return _Reference(value) if suffix == "ref" else value


_PlainLoader.add_multi_constructor("!", _construct_tagged)


def load_hyperyaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`, references resolved. Raises CheckpointError with file, expected, found."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected the model's yaml, found no such file") from None
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: expected UTF-8 text, found {error}") from error
    loader = _PlainLoader(text)
    try:
        raw = loader.get_single_data()
    except (yaml.YAMLError, RecursionError) as error:
        raise CheckpointError(f"{path}: expected yaml, found {error}") from error
    finally:
        loader.dispose()
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path}: expected a mapping at the top, found {type(raw).__name__}")
    return {key: _resolve(value, raw, path, 0) for key, value in raw.items()}


def _resolve(value: Any, root: dict[str, Any], path: Path, depth: int) -> Any:
    if depth > 32:
        raise CheckpointError(f"{path}: references or nesting deeper than 32")
    if isinstance(value, _Reference):
        return _evaluate(value, root, path, depth)
    if isinstance(value, dict):
        return {k: _resolve(v, root, path, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolve(v, root, path, depth + 1) for v in value]
    return value


def _evaluate(reference: _Reference, root: dict[str, Any], path: Path, depth: int) -> Any:
    """A reference alone is its target; numbers and references may be joined by `*`. Nothing else occurs upstream."""
    factors = []
    for part in reference.split("*"):
        name = _REFERENCE.fullmatch(part.strip())
        if name is None:
            try:
                factors.append(float(part) if "." in part else int(part))
            except ValueError:
                raise CheckpointError(f"{path}: expected a !ref of names and numbers, found {reference!r}") from None
            continue
        target: Any = root
        for key in name[1].split("."):
            if not isinstance(target, dict) or key not in target:
                raise CheckpointError(f"{path}: !ref {reference!r} names <{name[1]}>, found no such key")
            target = target[key]
        factors.append(_resolve(target, root, path, depth + 1))
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product
