"""From context to block to seam to lead: the generator process and what keeps it fed and alive."""
