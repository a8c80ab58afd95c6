"""Pictures and pages out of a run folder."""

from .detection import save_detections
from .directions import save_walks
from .figures import curves, error_bars, grid, save_grid
from .page import write_page
from .report import write_report

__all__ = ["curves", "error_bars", "grid", "save_detections", "save_grid", "save_walks", "write_page", "write_report"]
