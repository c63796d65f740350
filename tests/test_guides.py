"""Every block of the tutorials and how-to guides runs and prints what stands there."""

import pages


@pages.each_of(pages.of_sections("tutorials", "how-to"))
def test_a_page_runs(page, tmp_path):
    pages.run_or_skip(page, tmp_path)
