"""What a tenant may write: topic patterns, filters, transforms. Pure; knows no Django."""
