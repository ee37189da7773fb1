"""Drawing: panels as SVG."""
