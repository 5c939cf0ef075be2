"""How copies stay the same: consensus inside a region, last-writer-wins between regions."""
