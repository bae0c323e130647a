"""Dependencies between columns: stated by the user or found, and the rows that violate them."""
