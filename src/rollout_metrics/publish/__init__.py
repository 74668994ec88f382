"""What a scrape sees: rendered bytes, health, and the listener that serves them."""
