"""The strict base of every configuration, and how one is changed."""

import json
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from poseur_lib.errors import UserError

Config = TypeVar("Config", bound="Frozen")


class Frozen(BaseModel):
    """A configuration node: immutable, no unknown key, no silent coercion.

    `with_changes` is the one way to derive a configuration from another: the result is validated again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)

    def with_changes(self: Config, **changes: Any) -> Config:
        """A copy in which the named fields are replaced.

        A name may be a dotted path (`{"head.dropout": 0.0}`); a value may be a configuration node, a JSON value
        (lists stand for tuples) or, for a tagged union, the dictionary of another member.

        Raises:
            pydantic.ValidationError: a path does not exist, or a value has the wrong type or range.
            UserError: a path goes on beyond a value.
        """
        tree = self.model_dump(mode="json")
        for path, value in changes.items():
            *parents, leaf = path.split(".")
            node = tree
            for name in parents:
                node = node.setdefault(name, {})
                if not isinstance(node, dict):
                    raise UserError(f"{path}: {name} is a value and has no fields")
            node[leaf] = value.model_dump(mode="json") if isinstance(value, BaseModel) else deepcopy(value)
        return type(self).model_validate_json(json.dumps(tree))

    def is_written_as(self, text: str) -> bool:
        """True if some JSON is this configuration, as this version writes it or as one with fewer knobs did."""
        try:
            return type(self).model_validate_json(text) == self
        except ValidationError:
            return False


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two JSON trees differ: `train.learning_rate 0.002, now 0.0005`."""
    if before == after:
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [f"{path} {json.dumps(before)}, now {json.dumps(after)}"]
    names = {**before, **after}
    found = (differences(before.get(n), after.get(n), f"{path}.{n}".lstrip(".")) for n in names)
    return [one for some in found for one in some]
