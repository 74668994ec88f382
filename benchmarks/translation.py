"""Decoding and translating what every source over HTTP reads, against decoding alone: the same answers, the same decoders, from memory."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import by_turns, function, ratio
from rollout_metrics import sources
from rollout_metrics.collect import http
from rollout_metrics.collect.http import Answer, Api
from rollout_metrics.collect.source import HttpSource, Page, Window
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import DAY, parse_instant
from rollout_metrics.pipeline.garbage import leave_alone, quiet_collector

HERE = Path(__file__).parent.parent
LIMIT = 3.0
REPEATS = 40


def run(work: Path, *, full: bool) -> None:
    """Print a line for each source: recordings of the contract suite, and worlds of the simulators, with their small payloads."""
    print(f"translation: decoding and translating, times decoding alone (aim: at most {LIMIT}) by the same decoder; by the standard library's json")
    quiet_collector()  # as the command line does
    leave_alone()
    for kind, name, source, window, serve in (*_recordings(), *_worlds(400 if full else 150)):
        with serve as url:
            _compared(f"{kind:<16} {name:<10}", source(url), window)


def _compared(title: str, source: HttpSource, window: Window) -> None:
    pages, decoded = _recorded(source, window)
    size = sum(len(answer.body) for answer, _ in decoded)
    repeats = max(1, REPEATS * 20_000 // max(size, 1))
    sides = {"whole": lambda: function(lambda: _whole(source, pages, decoded, repeats)), "decoding": lambda: function(lambda: _decode(decoded, repeats))}
    sides["json"] = lambda: function(lambda: _by_json(decoded, repeats))
    spent = by_turns(sides, 7)
    shown = [f"{middle:5.2f} ({least:.2f} to {most:.2f})" for middle, least, most in (ratio(spent["whole"], spent[side]) for side in ("decoding", "json"))]
    print(f"  {title} {size / 1000:8.0f} kB  {shown[0]:<24} {shown[1]}", flush=True)


def _recordings() -> Iterator[tuple[str, str, Any, Window, Any]]:
    from sources.server import recorded, serving

    for kind in sources.kinds():
        folder = HERE / "tests" / "sources" / kind / "typical"
        if not folder.is_dir():
            continue
        said = json.loads((folder / "case.json").read_text())
        made = sources.find(kind)

        def source(url: str, made: Any = made, said: Any = said) -> Any:
            return made.model_validate({"base_url": url, "token": "secret", "name": "bench", **said["options"]})

        @contextmanager
        def serve(folder: Path = folder) -> Iterator[str]:
            with serving(recorded(folder), packed=False) as server:
                yield server.url

        yield kind, "recorded", source, Window(*map(parse_instant, said["window"])), serve()


def _worlds(cases: int) -> Iterator[tuple[str, str, Any, Window, Any]]:
    from random import Random

    from sources.server import serving
    from sources.upstream import profiles
    from sources.upstream.simulator import Simulator
    from sources.upstream.world import START, World

    for kind, profile in profiles().items():
        world = World(Random(1))
        while len(world.cases) < cases:
            world.step()
        made = sources.find(profile.kind)

        def source(url: str, made: Any = made, profile: Any = profile) -> Any:
            return made.model_validate({"base_url": url, "token": "secret", "name": "bench", **profile.options})

        @contextmanager
        def serve(profile: Any = profile, world: Any = world) -> Iterator[str]:
            with serving(Simulator(profile, world, 100), packed=False) as server:
                yield server.url

        yield kind, "simulated", source, Window(START, START + 30 * DAY), serve()


def _recorded(source: HttpSource, window: Window) -> tuple[list[Page], list[tuple[Answer, Any]]]:
    """Every page, and every answer with the decoder that read it."""
    decoded: list[tuple[Answer, Any]] = []
    endpoint = source.endpoint()
    assert endpoint is not None
    api = Api(endpoint, sleep=lambda _: None)

    def noted(answer: Answer, decoder: Any) -> Any:
        decoded.append((answer, decoder))
        return http.decode(answer, decoder)

    places = [module for name, module in list(sys.modules.items()) if name.startswith("rollout_metrics.") and getattr(module, "decode", None) is http.decode]
    for module in places:
        if module is not http:
            module.decode = noted  # type: ignore[attr-defined]
    try:
        pages = list(source.pages(api, window))
    finally:
        for module in places:
            module.decode = http.decode  # type: ignore[attr-defined]
    return pages, decoded


def _whole(source: HttpSource, pages: list[Page], decoded: list[tuple[Answer, Any]], repeats: int) -> None:
    _decode(decoded, repeats)
    for _ in range(repeats):
        for page in pages:
            list(source.events(page))


def _by_json(decoded: list[tuple[Answer, Any]], repeats: int) -> None:
    """One page after the other, none of them kept, as a source reads them."""
    for _ in range(repeats):
        for answer, _decoder in decoded:
            try:
                json.loads(answer.body)
            except ValueError:
                continue


def _decode(decoded: list[tuple[Answer, Any]], repeats: int) -> None:
    for _ in range(repeats):
        for answer, decoder in decoded:
            try:
                http.decode(answer, decoder)
            except PayloadError:
                continue
