"""Calibration of the background market on a recorded book and tape; see `report.calibrate`."""
