"""The table of derivatives, by family."""
