"""Files as git has them at an earlier revision, and which differ from it: read only, through git itself."""

import subprocess
from pathlib import Path

from rollout_metrics.domain.errors import ConfigurationError

_SAFE = ("--no-pager", "--literal-pathspecs", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false")


class Base:
    """The point at which a branch left `revision`: what others have merged there since is not the branch's doing."""

    def __init__(self, revision: str, within: Path) -> None:
        """`within`: a folder of the repository. Raises `ConfigurationError` where there is none, or no such revision."""
        self._top = within
        self._top = Path(self._git("rev-parse", "--show-toplevel", remedy="run it in a git repository, or without --base").strip()).resolve()
        named = self._git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}", remedy=f"there is no revision {revision!r}: fetch it first")
        remedy = f"{revision} and HEAD have no common commit here: fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0)"
        self._commit = self._git("merge-base", named.strip(), "HEAD", remedy=remedy).strip()

    def inside(self, file: Path) -> bool:
        """Whether a file, links followed, lies in the repository."""
        return file.resolve().is_relative_to(self._top)

    def name(self, file: Path) -> str:
        """A file's path in the repository."""
        return (file.parent.resolve() / file.name).relative_to(self._top).as_posix()

    def changed(self, path: Path) -> set[str]:
        """The paths under one that differ from the base, new and removed ones included."""
        within = self._under(path)
        differing = self._git("diff", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "-z", self._commit, "--", within)
        untracked = self._git("ls-files", "--others", "--exclude-standard", "-z", "--", within)
        return {name for name in (differing + untracked).split("\0") if name}

    def files(self, path: Path) -> list[str]:
        """The paths of plain files under one, as they were."""
        listed = self._git("ls-tree", "-r", "-z", self._commit, "--", self._under(path))
        entries = [entry.partition("\t") for entry in listed.split("\0") if entry]
        return [name for about, _, name in entries if about.startswith("100")]

    def text(self, name: str) -> str:
        """A file as it was; bytes that are no UTF-8 are replaced."""
        return self._git("show", "--no-textconv", f"{self._commit}:{name}")

    def _under(self, path: Path) -> str:
        name = self.name(path) if path.name else "."
        return "." if name in ("", ".") else name

    def _git(self, *arguments: str, remedy: str = "see what git says") -> str:
        try:
            done = subprocess.run(["git", *_SAFE, *arguments], cwd=self._top, capture_output=True, check=False)  # noqa: S603, S607
        except OSError as error:
            raise ConfigurationError(f"--base needs git, which cannot be run ({error.strerror}): install it") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise ConfigurationError(f"{remedy} (git {arguments[0]}: {said[-1] if said else 'failed'})")
        return done.stdout.decode("utf-8", "replace")
