"""Pure derivation: a case's history in, its facts out."""
