"""What things cost, measured on the machine at hand. Ratios of one run, not records."""
