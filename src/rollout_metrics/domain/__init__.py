"""The words everything else is written in: events, policies, facts, changes, errors. Pure values."""
