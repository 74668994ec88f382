"""Conditions on authority lists, as people write them."""

import math
import re

from rollout_metrics.domain.policy import Condition

CONDITION = re.compile(r"^\s*(?P<attribute>[^\s<>=!]+)\s*(?P<operator><=|>=|!=|=|<|>|\bin\b)\s*(?P<operand>[^\s<>=!].*?)\s*$")


def condition(text: str) -> Condition:
    """Read `amount <= 50`, `regulated = no` or `environment in test, staging`; anything else raises `ValueError`."""
    match = CONDITION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no condition such as 'amount <= 50', 'regulated = no' or 'environment in test, staging'")
    operator, operand = match["operator"], match["operand"]
    operands = tuple(part.strip() for part in operand.split(",")) if operator == "in" else (operand,)
    if "" in operands:
        raise ValueError(f"{text!r} names an empty value: take out the comma too many")
    if operator in ("<", "<=", ">", ">=") and not _is_size(operand):
        raise ValueError(f"{text!r} compares sizes, but {operand!r} is no number")
    return Condition(match["attribute"], operator, operands)


def _is_size(text: str) -> bool:
    try:
        return "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False
