"""The quarterly review: what it finds (pure), how it is drawn and written, and how a signed one differs from what is known now."""
