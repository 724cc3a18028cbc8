"""Node types that find passages of documents by what they mean."""
