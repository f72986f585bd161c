"""The cache: artifacts by content, records by key. Only this package writes below the store's folder."""
