"""Pictures and pages out of a run folder."""

from .cop_gen import write_report
from .figures import curves, error_bars, grid, save_grid
from .page import write_page

__all__ = ["curves", "error_bars", "grid", "save_grid", "write_page", "write_report"]
