"""Side-by-side benchmarks: Kvorum against its peers in one run, because only ratios of one run mean much."""
