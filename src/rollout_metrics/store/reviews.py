"""Signed reviews, kept as they were when they were signed; no retention touches them, for they name no person."""

import msgspec
from sqlalchemy import select

from rollout_metrics.review.said import Review, Signature
from rollout_metrics.store.schema import reviews
from rollout_metrics.store.tables import Tables


class Reviews(Tables):
    """Written once, never changed."""

    def signed_review(self, quarter: str) -> tuple[Review, Signature] | None:
        """A quarter's review as it was signed; None where it has not been."""
        with self._database.reading() as connection:
            row = connection.execute(select(reviews.c.signed_by, reviews.c.signed_at, reviews.c.body).where(reviews.c.quarter == quarter)).first()
        return None if row is None else (msgspec.json.decode(row.body, type=Review), Signature(row.signed_by, row.signed_at))

    def signed_reviews(self) -> dict[str, Signature]:
        """Who signed which quarter when."""
        with self._database.reading() as connection:
            rows = connection.execute(select(reviews.c.quarter, reviews.c.signed_by, reviews.c.signed_at).order_by(reviews.c.quarter)).all()
        return {row.quarter: Signature(row.signed_by, row.signed_at) for row in rows}

    def sign_review(self, review: Review, signature: Signature) -> bool:
        """Keep a review for good; False, and nothing done, where the quarter is signed already."""
        row = {"quarter": review.quarter, "signed_by": signature.by, "signed_at": signature.at, "body": msgspec.json.encode(review).decode()}
        with self._writing() as connection:
            if connection.execute(select(reviews.c.quarter).where(reviews.c.quarter == review.quarter)).first() is not None:
                return False
            connection.execute(reviews.insert().values(row))
            return True
