"""Lunform: a directory of HCL becomes block volumes with hard quality of service. `README.md` is the map."""
