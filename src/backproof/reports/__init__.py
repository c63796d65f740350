"""From a sweep's table of cells to statistics, claims, figures and one page.

Statistics map a table to a table and drawing maps a table to a figure; only `write` touches files.
"""
