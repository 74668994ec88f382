"""Reads pages by turns over one connection and prints the seconds of each answer by path, as JSON: `page_reader.py URL PATHS READS PAUSE`."""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit


def main() -> None:
    """Read and print."""
    url, paths, reads, pause = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    found: dict[str, list[float]] = {path: [] for path in paths}
    for number in range(reads + len(paths)):
        path = paths[number % len(paths)]
        time.sleep(pause)
        begun = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
        if number >= len(paths):  # the first of each warms the process, not the page
            found[path].append(time.perf_counter() - begun)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
