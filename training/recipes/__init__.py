"""One recipe for each system of the literature that the project implements."""
