"""Series to scrape, and scrapers: threads of another process than the server's, each with one connection kept open."""

import http.client
import threading
import time

Series = list[tuple[tuple[tuple[str, str], ...], float]]

OUTCOMES = ("accepted", "edited", "rejected", "overridden", "expired")
WINDOWS = ("1d", "7d", "28d", "90d")


def labelled(count: int) -> Series:
    """So many series with four labels."""
    return [
        (
            (
                ("field", f"field_{number // 20 % 10}"), ("outcome", OUTCOMES[number // 4 % 5]),
                ("window", WINDOWS[number % 4]), ("workflow", f"workflow-{number // 200}"),
            ),
            float(number % 977),
        )
        for number in range(count)
    ]  # fmt: skip


def scrape(port: int, *, scrapers: int, requests: int = 1_000_000_000, seconds: float = 3600, pause: float = 0.0) -> list[float]:
    """The times of all scrapes in seconds."""
    end = time.monotonic() + seconds
    times: list[float] = []

    def work(number: int) -> None:
        own: list[float] = []
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        time.sleep(pause * number / scrapers)
        while len(own) < requests and time.monotonic() < end:
            begun = time.perf_counter()
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip", "Accept": "text/plain;version=0.0.4"})
            answer = connection.getresponse()
            body = answer.read()
            own.append(time.perf_counter() - begun)
            assert answer.status == 200, answer.status
            assert len(body) > 1000
            if answer.will_close:
                connection.close()
            if pause:
                time.sleep(pause)
        connection.close()
        times.extend(own)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(scrapers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def percentile(times: list[float], part: float) -> float:
    """The value that this part of them does not exceed."""
    return sorted(times)[min(len(times) - 1, int(part * len(times)))]
