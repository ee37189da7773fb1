"""Views of a diagnosis: panels as plain data, then text, HTML and JSON."""
