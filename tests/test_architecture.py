"""The shape of the code: what may depend on what, what the core may not know, how large and how named modules are."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rollout_metrics import sources

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "rollout_metrics"
MODULES = sorted(PACKAGE.rglob("*.py"))
PURE = sorted(
    path
    for name in ("domain", "stats", "catalog", "derive", "rollup", "figures", "overview", "discover")
    for path in ((PACKAGE / name).rglob("*.py") if (PACKAGE / name).is_dir() else [PACKAGE / f"{name}.py"])
)
MOST_LINES = 400
"""Beyond this a module is two."""
MOST_LINES_OF_A_SOURCE = 380
"""A source is at most three: its options, its pages, and the story of its records."""
VAGUE = re.compile(r"^_*(utils?|commons?|helpers?|base|managers?|misc|tools|stuff)$")
IMPURE_MODULES = frozenset(("os", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid", "http", "urllib", "sqlite3", "logging", "requests"))
IMPURE_CALLS = frozenset(("now", "today", "utcnow", "getenv", "open", "input", "print", "read_text", "write_text", "read_bytes", "write_bytes"))


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_imports_point_downwards_only() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache", "--config", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 broken" in found.stdout


def test_no_module_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    most = {path: MOST_LINES_OF_A_SOURCE if path.parent.name == "sources" else MOST_LINES for path in MODULES}

    assert [f"{name(path)}: {lines} lines" for path, lines in lengths.items() if lines > most[path]] == []


def test_no_module_is_named_after_nothing() -> None:
    assert [name(path) for path in (*MODULES, *PACKAGE.rglob("*/")) if VAGUE.match(path.stem)] == []


@pytest.mark.parametrize("path", PURE, ids=name)
def test_the_core_knows_no_clock_chance_environment_or_disk(path: Path) -> None:
    assert [f"{name(path)}:{line}: {what}" for line, what in _impurities(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_the_scan_for_impurity_sees_one() -> None:
    code = "import time\nfrom os import environ\nfrom datetime import datetime\nx = datetime.now()\ny = open('z')\nimport random.x\n"

    assert sorted(line for line, _ in _impurities(ast.parse(code))) == [1, 2, 4, 5, 6]


def test_every_module_and_every_public_name_says_what_it_is() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
    said = {
        node.name: {method.name for method in _public(node.body) if ast.get_docstring(method)}
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "ABC" for base in node.bases)
    }

    assert [f"{name(path)}:{line}: {what}" for path, tree in trees.items() for line, what in _undocumented(tree, said)] == []


def test_every_kind_of_source_has_tests() -> None:
    written = {path.name: path for path in (ROOT / "tests" / "sources").iterdir()}

    assert [kind for kind in sources.kinds() if kind not in written and f"test_{kind}.py" not in written] == []


def _impurities(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, f"imports {alias.name}") for alias in node.names if alias.name.split(".")[0] in IMPURE_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in IMPURE_MODULES:
            yield node.lineno, f"imports from {node.module}"
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
            if called in IMPURE_CALLS:
                yield node.lineno, f"calls {called}()"


def _undocumented(tree: ast.Module, abstract: Mapping[str, set[str]]) -> Iterator[tuple[int, str]]:
    """Public names without a docstring.

    One of several classes, or the abstract one they implement, says what a method does for all that have it; a protocol's members speak for themselves.
    """
    if ast.get_docstring(tree) is None:
        yield 1, "the module"
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    said = {method.name for node in classes for method in _public(node.body) if ast.get_docstring(method)}
    said |= {method for node in classes for base in node.bases if isinstance(base, ast.Name) for method in abstract.get(base.id, ())}
    for node in _public(tree.body):
        if ast.get_docstring(node) is None:
            yield node.lineno, node.name
        if isinstance(node, ast.ClassDef) and not any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            yield from ((method.lineno, f"{node.name}.{method.name}") for method in _public(node.body) if method.name not in said)


def _public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
