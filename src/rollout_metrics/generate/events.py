"""`docs/event-format.md`: our event format, field by field, from the schema that checks it."""
