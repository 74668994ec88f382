"""How any source is pulled: the contract, one HTTP layer, paging, the sweep."""
