"""Configuration: YAML and environment in, settings and compiled policies out, or every problem at once."""
