"""Conditions on authority lists, as people write them."""

import re

from rollout_metrics.domain.policy import Condition

CONDITION = re.compile(r"^\s*(?P<attribute>[^\s<>=!]+)\s*(?P<operator><=|>=|!=|=|<|>|\bin\b)\s*(?P<operand>.+?)\s*$")


def condition(text: str) -> Condition:
    """Read `amount <= 50`, `regulated = no` or `environment in test, staging`; anything else raises `ValueError`."""
    match = CONDITION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no condition such as 'amount <= 50', 'regulated = no' or 'environment in test, staging'")
    operator, operand = match["operator"], match["operand"]
    operands = tuple(part.strip() for part in operand.split(",")) if operator == "in" else (operand,)
    if operator in ("<", "<=", ">", ">="):
        try:
            float(operand)
        except ValueError:
            raise ValueError(f"{text!r} compares sizes, but {operand!r} is no number") from None
    return Condition(match["attribute"], operator, operands)
