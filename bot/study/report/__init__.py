"""Reports: one HTML file each, which needs nothing from elsewhere."""
