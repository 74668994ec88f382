"""What a user would pick: dlt's `rest_api` source merged by id. Runs in an environment of its own: `.venv-bench/bin/python benchmarks/land_dlt.py ADDRESS
DATABASE-URL FOLDER PAGES`."""

import os
import sys

os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="ERROR")

import dlt
from dlt.sources.rest_api import rest_api_source


def main(address: str, url: str, folder: str, pages: int) -> None:
    """Extract, normalise, load."""
    if url.startswith("sqlite"):
        destination = dlt.destinations.sqlalchemy(url)
    else:
        destination = dlt.destinations.postgres(url.replace("postgresql://rollout@", "postgresql://rollout:none@"))
    pipeline = dlt.pipeline("desk", destination=destination, dataset_name="desk", pipelines_dir=folder)
    source = rest_api_source(
        {
            "client": {"base_url": address, "paginator": {"type": "json_link", "next_url_path": "next_page"}},
            "resources": [
                {
                    "name": "ticket_events",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "endpoint": {"path": "api/v2/incremental/ticket_events.json", "params": {"start_time": 0}, "data_selector": "ticket_events"},
                }
            ],
        }
    )
    source.resources["ticket_events"].add_limit(pages)
    pipeline.run(source).raise_on_failed_jobs()
    found = sum(count for name, count in pipeline.last_trace.last_normalize_info.row_counts.items() if name == "ticket_events")
    print(f"dlt: {found} audits", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
