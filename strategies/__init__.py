"""The strategies that ship with Inband, one short file each."""
