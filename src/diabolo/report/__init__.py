"""HTML reports and SVG charts: what to say about data, and how it is drawn."""
