"""Simulated systems for the laws of sources: one small world of cases, one HTTP simulator, and a profile for each vendor.

To put a source under the laws, add a module here that defines `PROFILE`; `test_laws.py` finds it.
"""

import importlib
import pkgutil

from sources.upstream.simulator import Profile


def profiles() -> dict[str, Profile]:
    """Every vendor there is, by kind; another API of the same kind by kind and name."""
    found = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    others = {f"{module.PROFILE.kind}-{name}": other for module in found for name, other in getattr(module, "OTHERS", {}).items()}
    return {module.PROFILE.kind: module.PROFILE for module in found if hasattr(module, "PROFILE")} | others
