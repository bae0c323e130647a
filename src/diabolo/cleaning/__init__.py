"""Wrong cells of a table: which are wrong, in which way, and what the right value is."""
