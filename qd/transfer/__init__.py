"""What one search hands to another: genotypes, trained modules, tasks in a sequence."""
